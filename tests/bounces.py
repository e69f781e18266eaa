"""Bounces as real servers write them, of a message that went from System Mail to one address.

The forms are those of Postfix 3, Exim 4, Exchange and Exchange Online, Gmail and qmail, without
what routing adds. ``{message_id}`` has its angle brackets.
"""

POSTFIX = """\
Return-Path: <>
Delivered-To: {sender}
Received: by mx.relay.test (Postfix)
\tid 4F0A2C1D3E; Thu, 26 Nov 2026 10:20:02 +0000 (UTC)
Date: Thu, 26 Nov 2026 10:20:02 +0000 (UTC)
From: MAILER-DAEMON@mx.relay.test (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {sender}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9A1B2C.1764152402/mx.relay.test"
Message-Id: <20261126102002.4F0A2C1D3E@mx.relay.test>

This is a MIME-encapsulated message.

--9A1B2C.1764152402/mx.relay.test
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.relay.test.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

                   The mail system

<{recipient}>: host mx.elsewhere.test[192.0.2.4] said: 550 5.1.1
    <{recipient}>: Recipient address rejected: User unknown
    (in reply to RCPT TO command)

--9A1B2C.1764152402/mx.relay.test
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.relay.test
X-Postfix-Queue-ID: 9A1B2C
X-Postfix-Sender: rfc822; {sender}
Arrival-Date: Thu, 26 Nov 2026 10:20:01 +0000 (UTC)

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.elsewhere.test
Diagnostic-Code: smtp; 550 5.1.1 <{recipient}>: Recipient address
    rejected: User unknown

--9A1B2C.1764152402/mx.relay.test
Content-Description: Undelivered Message
Content-Type: message/rfc822

Return-Path: <{sender}>
Received: from odoo.company.test (odoo.company.test [192.0.2.90])
\tby mx.relay.test (Postfix) with ESMTPSA id 9A1B2C
\tfor <{recipient}>; Thu, 26 Nov 2026 10:20:01 +0000 (UTC)
Message-Id: {message_id}
Subject: Lead
From: "Ana Author" <{sender}>
To: "Ben Reader" <{recipient}>
Content-Type: text/plain; charset="utf-8"

See this

--9A1B2C.1764152402/mx.relay.test--
"""
POSTFIX_HEADERS_ONLY = POSTFIX.replace("message/rfc822", "text/rfc822-headers").replace(
    "\nSee this\n", ""
)
_REPORT, _ORIGINAL = POSTFIX.split("--9A1B2C.1764152402/mx.relay.test\nContent-Description: Und")
POSTFIX_WITHOUT_ORIGINAL = _REPORT + "--9A1B2C.1764152402/mx.relay.test--\n"
POSTFIX_SMTPUTF8 = (
    POSTFIX.replace("message/delivery-status", "message/global-delivery-status")
    .replace("report-type=delivery-status", "report-type=global-delivery-status")
    .replace("message/rfc822", "message/global")
    .replace("Recipient: rfc822", "Recipient: utf-8")
)
POSTFIX_SMTPUTF8_HEADERS_ONLY = POSTFIX_SMTPUTF8.replace(
    "message/global\n", "message/global-headers\n"
).replace("\nSee this\n", "")
POSTFIX_DELAYED = (
    POSTFIX.replace("Undelivered Mail Returned to Sender", "Delayed Mail (still being retried)")
    .replace("Action: failed", "Action: delayed")
    .replace("Status: 5.1.1", "Status: 4.4.1")
)
POSTFIX_FORWARDED = POSTFIX.replace(
    "Final-Recipient: rfc822; {recipient}", "Final-Recipient: rfc822; somebody@forwarded.test"
)
EXIM = """\
Return-path: <>
Envelope-to: {sender}
Received: from Debian-exim by mx.relay.test with local (Exim 4.96)
\tid 1rAbCd-0001Ef-2G
\tfor {sender};
\tThu, 26 Nov 2026 10:20:03 +0000
X-Failed-Recipients: {recipient}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.relay.test>
To: {sender}
References: {message_id}
Content-Type: multipart/report; report-type=delivery-status; boundary=1764152403-eximdsn-804289
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1rAbCd-0001Ef-2G@mx.relay.test>
Date: Thu, 26 Nov 2026 10:20:03 +0000

--1764152403-eximdsn-804289
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {recipient}
    host mx.elsewhere.test [192.0.2.4]
    SMTP error from remote mail server after RCPT TO:<{recipient}>:
    550 5.1.1 User unknown

--1764152403-eximdsn-804289
Content-type: message/delivery-status

Reporting-MTA: dns; mx.relay.test

Action: failed
Final-Recipient: rfc822;{recipient}
Status: 5.0.0
Remote-MTA: dns; mx.elsewhere.test
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--1764152403-eximdsn-804289
Content-type: message/rfc822

Return-path: <{sender}>
Received: from odoo.company.test ([192.0.2.90])
\tby mx.relay.test with esmtpsa (Exim 4.96)
\tid 1rAbCc-0001Ee-1F
\tfor {recipient}; Thu, 26 Nov 2026 10:20:01 +0000
Message-Id: {message_id}
Subject: Lead
From: "Ana Author" <{sender}>
To: "Ben Reader" <{recipient}>
Content-Type: text/plain; charset="utf-8"

See this

--1764152403-eximdsn-804289--
"""
EXIM_TEXT = """\
Received: from mail by mx.relay.test with local (Exim 4.72)
\tid 1P1ceB-000FL1-4q
\tfor {sender}; Thu, 26 Nov 2026 10:20:03 +0000
Date: Thu, 26 Nov 2026 10:20:03 +0000
Message-Id: <E1P1ceB-000FL1-4q@mx.relay.test>
X-Failed-Recipients: {recipient}
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.relay.test>
To: {sender}
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {recipient}
    SMTP error from remote mail server after RCPT TO:<{recipient}>:
    host mx.elsewhere.test [192.0.2.4]: 550 5.1.1 User unknown

------ This is a copy of the message, including all the headers. ------

Return-path: <{sender}>
Received: from odoo.company.test ([192.0.2.90])
\tby mx.relay.test with esmtp (Exim 4.72)
\t(envelope-from <{sender}>)
\tid 1P1ce6-000Egt-GZ
\tfor {recipient}; Thu, 26 Nov 2026 10:20:01 +0000
Message-Id: {message_id}
Subject: Lead
From: "Ana Author" <{sender}>
To: "Ben Reader" <{recipient}>

See this
"""
EXCHANGE_ONLINE = """\
Received: from AM0EUR01HT124.eop-EUR01.prod.protection.outlook.com (2603:1096:100:18::32) by
 SLXP216MB0381.KORP216.PROD.OUTLOOK.COM with HTTPS; Thu, 26 Nov 2026 10:20:03 +0000
From: Microsoft Outlook
\t<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@company.test>
To: <{sender}>
Date: Thu, 26 Nov 2026 10:20:02 +0000
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="c937c40e-f7bd-4f90-a218-6adf396a4aac"
X-MS-Exchange-Message-Is-Ndr:
Content-Language: en-US
Message-ID: <453eb79f-2ae3-4903-b2b2-481bea8cf017@AM0P190MB0001.EURP190.PROD.OUTLOOK.COM>
In-Reply-To: {message_id}
References: {message_id}
Subject: Undeliverable: Lead
Auto-Submitted: auto-replied
MIME-Version: 1.0

--c937c40e-f7bd-4f90-a218-6adf396a4aac
Content-Type: multipart/alternative; differences=Content-Type;
\tboundary="f74f55f5-fadf-4f68-ba8c-a879ccba3d3e"

--f74f55f5-fadf-4f68-ba8c-a879ccba3d3e
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message to {recipient} couldn't be delivered.

Ben wasn't found at elsewhere.test.

Diagnostic information for administrators:

{recipient}
Remote server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipien=
t not found by SMTP address lookup'

--f74f55f5-fadf-4f68-ba8c-a879ccba3d3e--

--c937c40e-f7bd-4f90-a218-6adf396a4aac
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0P190MB0001.EURP190.PROD.OUTLOOK.COM
Received-From-MTA: dns;AM0P190MB0002.EURP190.PROD.OUTLOOK.COM
Arrival-Date: Thu, 26 Nov 2026 10:20:01 +0000

Final-Recipient: rfc822;{recipient}
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound

--c937c40e-f7bd-4f90-a218-6adf396a4aac
Content-Type: message/rfc822

From: Ana Author <{sender}>
To: "Ben Reader" <{recipient}>
Subject: Lead
Message-ID: {message_id}
Content-Type: text/plain; charset="utf-8"
MIME-Version: 1.0

See this

--c937c40e-f7bd-4f90-a218-6adf396a4aac--
"""
EXCHANGE_2003 = """\
Return-Path: <>
Received: by gw with Internet Mail Service (5.5.1960.3)
    id <00000000>; Thu, 26 Nov 2026 10:20:02 -0000
Message-ID: <6A1B00000000@gw.elsewhere.test>
From: System Administrator <postmaster@elsewhere.test>
To: {sender}
Subject: Undeliverable: Lead
Date: Thu, 26 Nov 2026 10:20:02 -0000
X-MS-TNEF-Correlator: {message_id}
X-Mailer: Internet Mail Service (5.5.1960.3)
X-MS-Embedded-Report:

Your message

  To:      {recipient}
  Subject: Lead
  Sent:    Thu, 26 Nov 2026 10:20:01 -0000

did not reach the following recipient(s):

{recipient} on Thu, 26 Nov 2026 10:20:02 -0000
    The recipient name is not recognized
    MSEXCH:IMS:COMPANY:ELSEWHERE:GW 0 (000C05A6) Unknown Recipient
"""
GMAIL = """\
Delivered-To: {sender}
Return-Path: <>
Received: from mail-sor-f69.google.com (mail-sor-f69.google.com. [209.85.220.69])
        by mx.google.com with SMTPS id q4sor1225584ljg.16
        for <{sender}>; Thu, 26 Nov 2026 02:20:03 -0800 (PST)
Content-Type: multipart/report; boundary="000000000000ca2d9205f5a5444d"; report-type=delivery-status
To: {sender}
Auto-Submitted: auto-replied
Message-ID: <63fc15e0.050a0220.58de0.183e.GMR@mx.google.com>
Date: Thu, 26 Nov 2026 02:20:03 -0800 (PST)
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
Subject: Delivery Status Notification (Failure)
References: {message_id}
In-Reply-To: {message_id}
X-Failed-Recipients: {recipient}

--000000000000ca2d9205f5a5444d
Content-Type: multipart/related; boundary="000000000000ca332c05f5a5444e"

--000000000000ca332c05f5a5444e
Content-Type: multipart/alternative; boundary="000000000000ca333105f5a5444f"

--000000000000ca333105f5a5444f
Content-Type: text/plain; charset="UTF-8"


** Address not found **

Your message wasn't delivered to {recipient} because the address couldn't be found.

The response from the remote server was:
550 5.1.1 The email account that you tried to reach does not exist.

--000000000000ca333105f5a5444f--
--000000000000ca332c05f5a5444e--
--000000000000ca2d9205f5a5444d
Content-Type: message/delivery-status

Reporting-MTA: dns; googlemail.com
Received-From-MTA: dns; {sender}
Arrival-Date: Thu, 26 Nov 2026 02:20:02 -0800 (PST)
X-Original-Message-ID: {message_id}

Final-Recipient: rfc822; {recipient}
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.elsewhere.test. (192.0.2.4, the server for the domain elsewhere.test.)
Diagnostic-Code: smtp; 550 5.1.1 The email account that you tried to reach does not exist.
Last-Attempt-Date: Thu, 26 Nov 2026 02:20:03 -0800 (PST)

--000000000000ca2d9205f5a5444d
Content-Type: message/rfc822

Return-Path: <{sender}>
Message-ID: {message_id}
From: Ana Author <{sender}>
To: Ben Reader <{recipient}>
Subject: Lead
Content-Type: multipart/mixed; boundary="0000000000009d969b05f5a54484"

--0000000000009d969b05f5a54484

----- Message truncated -----
--0000000000009d969b05f5a54484--

--000000000000ca2d9205f5a5444d--
"""
GMAIL_API = GMAIL.replace("{message_id}", "<CAByYQs0@mail.gmail.com>").replace(
    "From: Ana Author", "References: <0@company.test>\n {message_id}\nFrom: Ana Author"
)
"""The Gmail API gives each message an ID of its own."""
GMAIL_TEXT = """\
Delivered-To: {sender}
Return-Path: <>
MIME-Version: 1.0
From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>
To: {sender}
X-Failed-Recipients: {recipient}
Subject: Delivery Status Notification (Failure)
Message-ID: <001a113e798846564e052d2c56d2@google.com>
Date: Thu, 26 Nov 2026 10:20:03 +0000
Content-Type: text/plain; charset=UTF-8

Delivery to the following recipient failed permanently:

     {recipient}

Technical details of permanent failure:
The recipient server did not accept our requests to connect.

----- Original message -----

DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=company.test;
        h=mime-version:from:date:message-id:subject:to
From: Ana Author <{sender}>
Message-ID: {message_id}
Subject: Lead
To: Ben Reader <{recipient}>

See this
"""
QMAIL = """\
Return-Path: <>
Delivered-To: {sender}
Received: (qmail 10000 invoked for bounce); 26 Nov 2026 10:20:03 -0000
Date: 26 Nov 2026 10:20:03 -0000
From: MAILER-DAEMON@mx.relay.test
To: {sender}
Subject: failure notice

Hi. This is the qmail-send program at mx.relay.test.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{recipient}>:
192.0.2.4 does not like recipient.
Remote host said: 550 5.1.1 User unknown
Giving up on 192.0.2.4.

--- Below this line is a copy of the message.

Return-Path: <{sender}>
Received: (qmail 9999 invoked from network); 26 Nov 2026 10:20:01 -0000
Message-Id: {message_id}
From: Ana Author <{sender}>
To: "Ben Reader" <{recipient}>
Subject: Lead

See this
"""
BOUNCES = {
    "Postfix": POSTFIX,
    "Postfix, headers only": POSTFIX_HEADERS_ONLY,
    "Postfix, forwarded": POSTFIX_FORWARDED,
    "Postfix, SMTPUTF8": POSTFIX_SMTPUTF8,
    "Postfix, SMTPUTF8, headers only": POSTFIX_SMTPUTF8_HEADERS_ONLY,
    "Exim": EXIM,
    "Exim 4.7, text only": EXIM_TEXT,
    "Exchange Online": EXCHANGE_ONLINE,
    "Exchange 2003, text only": EXCHANGE_2003,
    "Gmail": GMAIL,
    "Gmail, by its API": GMAIL_API,
    "Gmail, text only": GMAIL_TEXT,
    "qmail, text only": QMAIL,
}
"""Each says that the message did not arrive at the recipient."""

VACATION = """\
Return-Path: <>
From: "Ben Reader" <{recipient}>
To: {sender}
Subject: Automatic reply: Lead
Message-Id: <vacation-1@elsewhere.test>
In-Reply-To: {message_id}
References: {message_id}
Auto-Submitted: auto-replied (vacation)
X-Auto-Response-Suppress: All
Content-Type: text/plain; charset="utf-8"

I am away until Monday.
"""
RECEIPT = """\
From: "Ben Reader" <{recipient}>
To: {sender}
Subject: Read: Lead
Message-Id: <receipt-1@elsewhere.test>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=disposition-notification; boundary="read"

--read
Content-Type: text/plain

Your message was read.

--read
Content-Type: message/disposition-notification

Reporting-UA: elsewhere.test; Reader 1.0
Final-Recipient: rfc822;{recipient}
Original-Message-ID: {message_id}
Disposition: manual-action/MDN-sent-manually; displayed

--read
Content-Type: text/rfc822-headers

Message-Id: {message_id}

--read--
"""
