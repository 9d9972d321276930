// The generated boards, and what the tools ask of them.
import { readdirSync, readFileSync } from 'node:fs';

export const folder = 'boards';

export const readBoards = () =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')));

// Titles of panels where nothing to show is good news, or needs a fault that nobody injected: MAY_BE_EMPTY=One,Another
export const mayBeEmpty = new Set((process.env.MAY_BE_EMPTY ?? '').split(','));

// With Grafana's variables and ours replaced: `known` by name, all others by `other`. $1 is of label_replace.
export const substitute = (text, known, other) =>
  text.replace(
    /\$\{(\w+)(?::\w+)?\}|\$([a-z_]\w*)/gi,
    (_, braced, bare) => known[braced ?? bare] ?? other(braced ?? bare),
  );

// Every PromQL expression of a board: {where, expr, mayBeEmpty}.
export function expressions(board) {
  const found = [];
  for (const panel of board.panels)
    for (const target of panel.targets ?? [])
      found.push({
        where: `${board.uid} / ${panel.title} / ${target.refId}`,
        expr: target.expr,
        mayBeEmpty: mayBeEmpty.has(panel.title),
      });
  for (const annotation of board.annotations.list)
    if (annotation.expr)
      found.push({ where: `${board.uid} / annotation ${annotation.name}`, expr: annotation.expr, mayBeEmpty: true });
  for (const variable of board.templating.list) {
    const [, expr] = /^label_values\((.+),\s*\w+\)$/.exec(variable.query?.query ?? '') ?? [];
    if (expr) found.push({ where: `${board.uid} / variable ${variable.name}`, expr });
  }
  return found;
}
