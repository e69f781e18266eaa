from . import (
    test_access,
    test_batches,
    test_failover_breaker,
    test_failover_rules,
    test_fallback,
    test_matrix,
    test_oauth,
    test_oauth_lab,
    test_personal_mailbox,
    test_recipients,
    test_smtp_lab,
    test_tours,
)
