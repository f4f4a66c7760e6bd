CREATE TABLE invoices (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), order_id text NOT NULL, amount int NOT NULL, made_at timestamptz NOT NULL DEFAULT now());
