export const {
  PORT = "3000",
  SERVICEBUS_CONNECTION_STRING,
  STORAGE_CONNECTION_STRING,
  PARCELS_QUEUE = "parcels",
} = process.env;
export const LABELS_CONTAINER = process.env.LABELS_CONTAINER ?? "labels";
