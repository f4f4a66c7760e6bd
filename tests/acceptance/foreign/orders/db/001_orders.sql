CREATE TABLE orders (
    id uuid PRIMARY KEY,
    item text NOT NULL,
    quantity int NOT NULL CHECK (quantity > 0),
    status text NOT NULL DEFAULT 'new',
    created_at timestamptz NOT NULL DEFAULT now()
);
