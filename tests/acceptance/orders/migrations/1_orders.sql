CREATE TABLE orders (id text PRIMARY KEY);
CREATE TABLE outbox (id text PRIMARY KEY);
