// Generates the boards into a folder of its own and expects what is committed, byte for byte.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { folder } from './boards.mjs';

const fresh = mkdtempSync(join(tmpdir(), 'fettle-boards-'));
let different = 0;
try {
  execFileSync('node_modules/.bin/tsx', ['source/generate.ts', fresh]);
  const names = new Set([...readdirSync(fresh), ...readdirSync(folder)]);
  for (const name of names) {
    const [made, committed] = [fresh, folder].map((from) => {
      try {
        return readFileSync(join(from, name), 'utf8');
      } catch {
        return null;
      }
    });
    if (made === committed) continue;
    different++;
    console.log(`${folder}/${name} is not what source/ generates; npm run generate writes it`);
  }
  if (!different) console.log(`regenerate: ${names.size} boards are as committed`);
} finally {
  rmSync(fresh, { recursive: true });
}
process.exit(different ? 1 : 0);
