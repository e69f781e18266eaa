-- A copy of the database must not be able to send, nor to sign in.
UPDATE ir_mail_server SET system_mail_password = NULL;
UPDATE ir_mail_server SET smtp_pass = NULL
 WHERE id IN (SELECT system_mail_server_id FROM res_company UNION
              SELECT server_id FROM system_mail_backup);
UPDATE system_mail_oauth_provider SET client_secret = NULL, private_key = NULL;
UPDATE system_mail_connect SET secret = NULL, oauth_state = NULL, oauth_verifier = NULL;
DELETE FROM system_mail_oauth_token;
-- Nor may the token of the real one's monitoring open it.
DELETE FROM ir_config_parameter WHERE key = 'system_mail.monitoring_token_sha256';
-- Nor may it tell the real one's people.
DELETE FROM system_mail_webhook;
