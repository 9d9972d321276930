// Writes every board as classic dashboard JSON: generate.ts FOLDER. Grafana 10.4 to 13 read it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { agent } from './agent';
import { certificates } from './certificates';
import { disasterRecovery } from './disaster-recovery';
import { incidents } from './incidents';
import { journeys } from './journeys';
import { nodeBoard } from './node';
import { overview } from './overview';
import { serviceBoard } from './service';
import { traffic } from './traffic';

const folder = process.argv[2] ?? 'boards';

// The builders leave out ids and add keys of newer versions; some of these hide things there (`placement` moves links
// and annotations into a menu) and all of them fail the type check of older ones.
function finish(board: any) {
  board.id = null;
  board.editable = false;
  for (const item of [...board.annotations.list, ...board.links]) delete item.placement;
  for (const variable of board.templating.list)
    for (const key of ['allowCustomValue', 'auto', 'auto_min', 'auto_count']) delete variable[key];
  board.panels.forEach((panel: any, index: number) => {
    panel.id = index + 1;
    delete panel.repeatDirection;
    for (const key of ['percentChangeColorMode', 'perPage', 'selectionMode']) delete panel.options?.[key];
    if (panel.type === 'table') delete panel.options.footer;
  });
  return board;
}

mkdirSync(folder, { recursive: true });
for (const builder of [
  overview,
  nodeBoard,
  serviceBoard,
  incidents,
  traffic,
  journeys,
  certificates,
  agent,
  disasterRecovery,
]) {
  const board = finish(builder.build());
  writeFileSync(`${folder}/${board.uid}.json`, `${JSON.stringify(board, null, 2)}\n`);
  console.log(`${folder}/${board.uid}.json: ${board.panels.length} panels`);
}
