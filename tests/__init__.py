from . import (
    test_batches,
    test_failover_breaker,
    test_failover_rules,
    test_fallback,
    test_matrix,
    test_recipients,
    test_smtp_lab,
)
