{
    "name": "System Mail",
    "summary": "Notifications keep moving when a person's mailbox does not",
    "version": "19.0.1.0.0",
    "category": "Productivity/Discuss",
    "author": "system_mail contributors",
    "license": "LGPL-3",
    "depends": ["mail", "base_setup"],
    "data": [],
    "installable": True,
}
