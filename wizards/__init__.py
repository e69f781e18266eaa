from . import system_mail_connect, system_mail_test
