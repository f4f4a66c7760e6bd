// A line of a file, as a link into the editor where the page knows where the project is.

import { createContext } from "preact";
import { useContext } from "preact/hooks";

/** The folder of the project on the machine that made the page; empty where that is not known. */
export const Root = createContext("");

export function Place({ file, line }: { file: string; line: number }) {
  const href = editor(useContext(Root), file, line);
  const text = line ? `${file}:${line}` : file;
  if (!href) return <span>{text}</span>;
  return (
    <a href={href} title="Open in the editor">
      {text}
    </a>
  );
}

export function editor(root: string, file: string, line: number): string {
  if (!root || !file || file.startsWith("..")) return "";
  const path = /^(\/|[A-Za-z]:)/.test(file) ? file : `${root}/${file}`;
  return `vscode://file/${encodeURI(path.replaceAll("\\", "/").replace(/^\/+/, "")).replace(/[?#]/g, encodeURIComponent)}:${line || 1}`;
}
