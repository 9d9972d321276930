// Whether the services could be brought back after a disaster: what restore drills have proven, and what is wanted.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import * as table from '@grafana/grafana-foundation-sdk/table';
import { board, dataSource, from, legendBelow, lines, number, query, service, tableQuery, thresholds } from './parts';

const proven = [
  {
    type: 'value',
    options: {
      '0': { text: 'not proven', color: 'red', index: 0 },
      '1': { text: 'proven', color: 'green', index: 1 },
    },
  } as unknown as dashboard.ValueMapping,
];

// What a drill measured, where it is above what its service wants.
const missed = (measured: string, objective: string) =>
  `count(${measured}{${service}} > on (instance, service) group_left () ` +
  `fettle_service_objective_seconds{objective="${objective}",${service}}) or vector(0)`;

const seconds = (name: string) => ({ matcher: name, unit: { id: 'unit', value: 's' } });
const columns: Array<[string, string, string]> = [
  ['A', 'Last run', `max by (service, drill, instance) (fettle_restore_drill_success{${service}})`],
  [
    'B',
    'Proven before',
    `time() - max by (service, drill, instance) (fettle_restore_verified_timestamp_seconds{${service}})`,
  ],
  ['C', 'RTO', `max by (service, drill, instance) (fettle_restore_duration_seconds{${service}})`],
  ['D', 'RPO', `max by (service, drill, instance) (fettle_restore_data_age_seconds{${service}})`],
  ['E', 'Size', `max by (service, drill, instance) (fettle_restore_size_bytes{${service}})`],
];

let drills = new table.PanelBuilder()
  .title('Drills')
  .description('The last run of each drill, and what the last proven restore took, lost and brought back.')
  .datasource(dataSource)
  .height(8)
  .span(24)
  .withTransformation({ id: 'merge', options: {} })
  .withTransformation({
    id: 'organize',
    options: {
      excludeByName: { Time: true },
      indexByName: Object.fromEntries([
        ['service', 0],
        ['drill', 1],
        ['instance', 2],
        ...columns.map(([refId], i) => [`Value #${refId}`, i + 3]),
      ]),
      renameByName: Object.fromEntries([
        ['service', 'Service'],
        ['drill', 'Drill'],
        ['instance', 'Node'],
        ...columns.map(([refId, title]) => [`Value #${refId}`, title]),
      ]),
    },
  })
  .overrideByName('Last run', [
    { id: 'mappings', value: proven },
    { id: 'custom.cellOptions', value: { type: 'color-background', mode: 'basic' } },
  ])
  .overrideByName('Size', [{ id: 'unit', value: 'bytes' }]);
for (const [refId, , expr] of columns) drills = drills.withTarget(tableQuery(expr, refId));
for (const each of ['Proven before', 'RTO', 'RPO'].map(seconds))
  drills = drills.overrideByName(each.matcher, [each.unit]);

// A line for what was measured, and one for what is wanted.
const beside = (title: string, description: string, measured: string, objective: string) =>
  lines(
    title,
    description,
    's',
    `max by (service, drill) (${measured}{${service}})`,
    '{{service}} {{drill}}',
  ).withTarget(
    query(
      `max by (service) (fettle_service_objective_seconds{objective="${objective}",${service}})`,
      '{{service}} wanted',
      'B',
    ),
  );

export const disasterRecovery = board(
  'fettle-disaster-recovery',
  'fettle / Disaster recovery',
  'Restore drills: which backups were restored on trial, how long that took, how much would be lost, and what is wanted.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Drills configured',
      'Restore drills that the agents are configured with.',
      `count(fettle_restore_due_timestamp_seconds{${service}}) or vector(0)`,
      'short',
      from('red', [1, 'green']),
    ),
  )
  .withPanel(
    number(
      'Not proven',
      'Drills whose last run proved no restore.',
      `count(fettle_restore_drill_success{${service}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Overdue',
      'Drills that should have proven a restore again by now.',
      `count(fettle_restore_due_timestamp_seconds{${service}} < time()) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Oldest proof',
      'Time since the last proven restore, of the drill where that is longest ago.',
      `max(time() - fettle_restore_verified_timestamp_seconds{${service}})`,
      's',
      from('blue'),
    ),
  )
  .withPanel(
    number(
      'RTO missed',
      'Drills whose restore takes longer than the service may be away.',
      missed('fettle_restore_duration_seconds', 'rto'),
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'RPO missed',
      'Drills that would lose more than the service may lose.',
      missed('fettle_restore_data_age_seconds', 'rpo'),
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withRow(new dashboard.RowBuilder('Restores'))
  .withPanel(drills)
  .withPanel(
    new statetimeline.PanelBuilder()
      .title('Proven restores')
      .description('Whether the last run of each drill proved a restore, over time.')
      .datasource(dataSource)
      .height(6)
      .span(24)
      .mappings(proven)
      .thresholds(thresholds(from('text')))
      .mergeValues(true)
      .showValue(common.VisibilityMode.Never)
      .rowHeight(0.85)
      .legend(legendBelow())
      .withTarget(query(`fettle_restore_drill_success{${service}}`, '{{service}} {{drill}} {{instance}}')),
  )
  .withRow(new dashboard.RowBuilder('Measured and wanted'))
  .withPanel(
    beside(
      'Time to restore',
      'What the last proven restore took (RTO), beside what is wanted.',
      'fettle_restore_duration_seconds',
      'rto',
    ),
  )
  .withPanel(
    beside(
      'Age of the data',
      'How old the newest data of the last proven restore was (RPO), beside what is wanted.',
      'fettle_restore_data_age_seconds',
      'rpo',
    ),
  );
