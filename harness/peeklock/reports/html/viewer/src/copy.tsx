// Buttons that copy, and what keeps a text as a file.

import { useState } from "preact/hooks";

export function Copy({ label, text }: { label: string; text: () => string }) {
  const [done, setDone] = useState(false);
  async function copy() {
    await write(text());
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  }
  return (
    <button type="button" class="copy" onClick={copy}>
      <span aria-live="polite">{done ? "Copied ✓" : label}</span>
    </button>
  );
}

/** Let the browser keep a text as a file. */
export function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The clipboard is not there for every page that is opened from a disk. */
async function write(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}
