{
    "name": "System Mail",
    "summary": "Notifications keep moving when a person's mailbox does not",
    "version": "19.0.1.0.0",
    "category": "Productivity/Discuss",
    "author": "system_mail contributors",
    "license": "LGPL-3",
    "depends": ["mail", "base_setup"],
    "data": [
        "security/system_mail_groups.xml",
        "security/ir.model.access.csv",
        "security/system_mail_rules.xml",
        "views/system_mail_views.xml",
    ],
    "uninstall_hook": "uninstall_hook",
    "installable": True,
}
