// Holds each board, as a TypeScript literal, against Grafana's own generated types: one union member per panel type,
// with that type's options and field options. Unknown keys and wrong values do not compile.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { folder } from './boards.mjs';

const work = 'node_modules/.typecheck'; // inside, so that imports are found
// panel type -> [folder of its types, has it field options of its own]
const panelTypes = {
  stat: ['Stat', false],
  timeseries: ['TimeSeries', true],
  'state-timeline': ['StateTimeline', true],
  table: ['Table', true],
};

const imports = Object.values(panelTypes).map(
  ([name]) =>
    `import type * as ${name} from '@grafana/schema/dist/esm/raw/composable/${name.toLowerCase()}/panelcfg/x/${name}PanelCfg_types.gen';`,
);
const members = Object.entries(panelTypes).map(
  ([type, [name, options]]) =>
    `Panel<'${type}', ${name}.Options, ${options ? `${name}.FieldConfig` : 'Record<string, never>'}>`,
);

mkdirSync(work, { recursive: true });
writeFileSync(
  `${work}/types.ts`,
  `import type { AnnotationQuery, Dashboard, Panel as AnyPanel, RowPanel, VariableModel } from '@grafana/schema';
${imports.join('\n')}

// Enums become their values, so that a literal from JSON fits.
type Plain<T> = unknown extends T ? T
  : T extends string ? \`\${T}\`
  : T extends number | boolean | null | undefined ? T
  : T extends Array<infer U> ? Plain<U>[]
  : T extends object ? { [K in keyof T]: Plain<T[K]> }
  : T;
type Partly<T> = T extends Array<infer U> ? Partly<U>[] : T extends object ? { [K in keyof T]?: Partly<T[K]> } : T;
type Source = { type: 'prometheus'; uid: '\${datasource}' };
type Target = {
  refId: string; expr: string; datasource: Source; legendFormat?: string; format?: 'time_series' | 'table';
  instant?: boolean; range?: boolean;
};
type Fields = NonNullable<Plain<AnyPanel>['fieldConfig']>;
type Panel<T extends string, Options, Custom> =
  Omit<Plain<AnyPanel>, 'type' | 'options' | 'fieldConfig' | 'targets' | 'datasource'> & {
    type: T; id: number; title: string; description: string; datasource: Source; targets: Target[];
    options: Partly<Plain<Options>>;
    fieldConfig: {
      defaults: Omit<Fields['defaults'], 'custom'> & { custom?: Partly<Plain<Custom>> };
      overrides: Fields['overrides'];
    };
  };
type Annotation = Omit<Plain<AnnotationQuery>, 'target'> & {
  expr?: string; step?: string; titleFormat?: string; textFormat?: string; tagKeys?: string;
};
export type Board = Omit<Plain<Dashboard>, 'panels' | 'annotations' | 'templating'> & {
  uid: string; title: string; description: string;
  panels: Array<${members.join(' | ')} | Plain<RowPanel>>;
  annotations: { list: Annotation[] };
  templating: { list: Array<Plain<VariableModel> & { definition?: string }> };
};
`,
);
for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const board = readFileSync(`${folder}/${name}`, 'utf8').trim();
  writeFileSync(
    `${work}/${name.replace('.json', '.ts')}`,
    `import type { Board } from './types.js';\nexport default ${board} satisfies Board;\n`,
  );
}
const compilerOptions = {
  strict: true,
  noEmit: true,
  module: 'nodenext',
  moduleResolution: 'nodenext',
  target: 'es2022',
  skipLibCheck: true,
  types: [],
};
writeFileSync(`${work}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ['*.ts'] }));
try {
  execFileSync('node_modules/.bin/tsc', ['-p', work], { stdio: 'inherit' });
  console.log("typecheck: every board fits Grafana's types");
} catch {
  process.exit(1);
}
