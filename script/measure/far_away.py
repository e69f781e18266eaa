"""A way to a server of this machine that takes its time, as if it were far away."""

import asyncio
import functools

HOST = "127.0.0.1"


async def far_away(port, round_trip):
    """A port at which the server at ``port`` of this machine seems to be some way off.

    :param float round_trip: seconds
    """
    serve = functools.partial(_serve, port, round_trip)
    listener = await asyncio.start_server(serve, HOST)
    return listener.sockets[0].getsockname()[1]


async def _serve(port, round_trip, reader, writer):
    await asyncio.sleep(1.5 * round_trip)  # the handshake of TCP, which took no time
    try:
        far_reader, far_writer = await asyncio.open_connection(HOST, port)
    except OSError:
        writer.close()
        return
    delay = round_trip / 2
    await asyncio.gather(_carry(reader, far_writer, delay), _carry(far_reader, writer, delay))


async def _carry(reader, writer, delay):
    """Hand on what is said, so many seconds later."""
    later = asyncio.get_running_loop().call_later
    try:
        while said := await reader.read(2**16):
            later(delay, writer.write, said)
    except ConnectionError:
        pass
    later(delay, writer.close)
