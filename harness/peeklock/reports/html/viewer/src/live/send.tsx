// A message written by hand.

import { useState } from "preact/hooks";
import { send } from "./api.ts";
import { Ask } from "./ask.tsx";

const FIELDS: [string, string][] = [
  ["message_id", "Message id"],
  ["session_id", "Session id"],
  ["subject", "Subject"],
  ["correlation_id", "Correlation id"],
  ["content_type", "Content type"],
  ["time_to_live", "Time to live (10m)"],
];

export function Send({ entity, close }: { entity: string; close: (said: string) => void }) {
  const [kind, setKind] = useState<"json" | "text">("json");
  const [body, setBody] = useState("{\n  \n}");
  const [fields, setFields] = useState<Record<string, string>>({});
  const [properties, setProperties] = useState("{}");
  const [later, setLater] = useState("");
  const [times, setTimes] = useState(1);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);

  async function go(event: Event) {
    event.preventDefault();
    const message: Record<string, unknown> = Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
    try {
      message[kind] = kind === "json" ? read(body, "The body") : body;
      const given = read(properties || "{}", "The application properties");
      if (typeof given !== "object" || given === null || Array.isArray(given)) throw new Error('The application properties are a JSON object, as {"tenant": "a"}.');
      if (Object.keys(given).length) message["properties"] = given;
      setBusy(true);
      const { sent } = await send({ entity, message, times, ...(later ? { scheduled_in: later } : {}) });
      close(`${sent} sent to ${entity}${later ? `, for in ${later}` : ""}`);
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <Ask title={`Send to ${entity}`} close={() => close("")}>
      <form class="live-form" onSubmit={(event) => void go(event)}>
        <div class="live-form-row">
          <span id="send-body">Body</span>
          <button type="button" aria-pressed={kind === "json"} onClick={() => setKind("json")}>JSON</button>
          <button type="button" aria-pressed={kind === "text"} onClick={() => setKind("text")}>Text</button>
        </div>
        <textarea aria-labelledby="send-body" rows={8} spellcheck={false} value={body} onInput={(event) => setBody(event.currentTarget.value)} />
        <label>
          Application properties (JSON)
          <textarea rows={2} spellcheck={false} value={properties} onInput={(event) => setProperties(event.currentTarget.value)} />
        </label>
        <div class="live-grid">
          {FIELDS.map(([name, label]) => (
            <label>
              {label}
              <input value={fields[name] ?? ""} onInput={(event) => setFields({ ...fields, [name]: event.currentTarget.value })} />
            </label>
          ))}
          <label>
            Scheduled in (30s, 10m, 1d)
            <input value={later} onInput={(event) => setLater(event.currentTarget.value)} />
          </label>
          <label>
            Times
            <input type="number" min={1} max={1000} value={times} onInput={(event) => setTimes(event.currentTarget.valueAsNumber || 1)} />
          </label>
        </div>
        {problem ? <p class="actual" role="alert">{problem}</p> : null}
        <div class="live-buttons">
          <button type="submit" class="primary" disabled={busy}>Send</button>
          <button type="button" onClick={() => close("")}>Cancel</button>
        </div>
      </form>
    </Ask>
  );
}

function read(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${what} cannot be read as JSON: ${(error as Error).message}`);
  }
}
