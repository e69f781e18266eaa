"""A company may have the domains of several mailboxes checked: the findings of each are unique."""


def migrate(cr, _version):
    cr.execute(
        """ALTER TABLE system_mail_domain_finding
             DROP CONSTRAINT IF EXISTS system_mail_domain_finding_kind_uniq"""
    )
