-- A copy of the database must not be able to send, nor to sign in.
UPDATE ir_mail_server SET system_mail_password = NULL;
UPDATE system_mail_oauth_provider SET client_secret = NULL;
DELETE FROM system_mail_oauth_token;
