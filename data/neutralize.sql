-- A copy of the database must not be able to send, nor to sign in.
UPDATE ir_mail_server SET system_mail_password = NULL;
UPDATE ir_mail_server SET smtp_pass = NULL
 WHERE id IN (SELECT system_mail_server_id FROM res_company UNION
              SELECT server_id FROM system_mail_backup);
-- OCA's mail_environment keeps what was typed in a field of its own.
DO $$ BEGIN
    IF EXISTS (SELECT FROM information_schema.columns
                WHERE table_name = 'ir_mail_server' AND column_name = 'server_env_defaults') THEN
        UPDATE ir_mail_server
           SET server_env_defaults = (server_env_defaults::jsonb - 'x_smtp_pass_env_default')::text
         WHERE id IN (SELECT system_mail_server_id FROM res_company UNION
                      SELECT server_id FROM system_mail_backup);
    END IF;
END $$;
UPDATE system_mail_oauth_provider SET client_secret = NULL, private_key = NULL;
UPDATE system_mail_connect SET secret = NULL, oauth_state = NULL, oauth_verifier = NULL;
DELETE FROM system_mail_oauth_token;
-- Nor may the token of the real one's monitoring open it.
DELETE FROM ir_config_parameter WHERE key = 'system_mail.monitoring_token_sha256';
-- Nor may it tell the real one's people.
DELETE FROM system_mail_webhook;
