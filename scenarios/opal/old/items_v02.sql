-- An item that v0.2 had taken in; its message is still in the queue.
INSERT INTO job (id, tenant_id, brand_profile_id) VALUES ('6f1c0c1e-3c0f-4c52-9a57-2f4d5e0b7a01', 'acme', 'nordic');
INSERT INTO item (id, tenant_id, job_id, position, filename, status, enqueued_at)
VALUES ('b0a7f4c2-8d36-4b1e-9a0c-5d2e7f60c1a2', 'acme', '6f1c0c1e-3c0f-4c52-9a57-2f4d5e0b7a01', 0, 'mug.png', 'queued', now());
