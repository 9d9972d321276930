// Whether the services could be brought back after a disaster: what drills of restores and of faults have proven, and
// what is wanted.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  board,
  dataLinks,
  from,
  lines,
  nodeKey,
  number,
  query,
  rows,
  service,
  serviceKey,
  states,
  toService,
  unit,
  words,
  worded,
} from './parts';

const proven = words([0, 'not proven', 'red'], [1, 'proven', 'green']);
const passed = words([0, 'did not pass', 'red'], [1, 'passed', 'green']);

// What a drill measured, where it is above what its service wants.
const missed = (measured: string, objective: string) =>
  `count(${measured}{${service}} > on (instance, service) group_left () ` +
  `fettle_service_objective_seconds{objective="${objective}",${service}}) or vector(0)`;

const of = (expr: string) => `max by (service, drill, instance) (${expr})`;
const drills = rows(
  'Drills',
  'The last run of each drill, and what the last proven restore took, lost and brought back.',
  [serviceKey, { label: 'drill', title: 'Drill' }, nodeKey],
  [
    {
      title: 'Last run',
      expr: of(`fettle_restore_drill_success{${service}}`),
      show: worded(proven, 'color-background'),
    },
    {
      title: 'Proven before',
      expr: of(`time() - fettle_restore_verified_timestamp_seconds{${service}}`),
      show: unit('s'),
    },
    { title: 'RTO', expr: of(`fettle_restore_duration_seconds{${service}}`), show: unit('s') },
    { title: 'RPO', expr: of(`fettle_restore_data_age_seconds{${service}}`), show: unit('s') },
    { title: 'Size', expr: of(`fettle_restore_size_bytes{${service}}`), show: unit('bytes') },
  ],
).height(6);

// A line for what was measured, and one for what is wanted.
const beside = (title: string, description: string, measured: string, name: 'drill' | 'fault', objective: string) =>
  lines(title, description, 's', `max by (service, ${name}) (${measured})`, `{{service}} {{${name}}}`).withTarget(
    query(
      `max by (service) (fettle_service_objective_seconds{objective="${objective}",${service}} ` +
        `and on (job, instance, service) ${measured})`,
      '{{service}} wanted',
      'B',
    ),
  );

const stage = (name: string) => `fettle_drill_stage_seconds{stage="${name}",${service}}`;
const ofFault = (expr: string) => `max by (service, fault, instance) (${expr})`;
const faults = rows(
  'Fault drills',
  'The last drill of each fault, and what its stages took: detect, recover and deliver since the fault; cure is what the plan itself took.',
  [serviceKey, { label: 'fault', title: 'Fault' }, nodeKey],
  [
    {
      title: 'Last drill',
      expr: ofFault(`fettle_drill_success{${service}}`),
      show: worded(passed, 'color-background'),
    },
    {
      title: 'Passed before',
      expr: ofFault(`time() - fettle_drill_last_success_timestamp_seconds{${service}}`),
      show: unit('s'),
    },
    ...['detect', 'cure', 'recover', 'deliver'].map((name) => ({
      title: name[0].toUpperCase() + name.slice(1),
      expr: ofFault(stage(name)),
      show: unit('s', 2),
    })),
  ],
).height(6);

export const disasterRecovery = board(
  'fettle-disaster-recovery',
  'fettle / Disaster recovery',
  'Drills: which backups were restored on trial and which faults were rehearsed, what that took, how much would be lost, and what is wanted.',
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
    states(
      'Proven restores',
      'Whether the last run of each drill proved a restore, over time.',
      proven,
      `fettle_restore_drill_success{${service}}`,
      '{{service}} {{drill}} {{instance}}',
    )
      .height(6)
      .dataLinks(dataLinks(toService('${__field.labels.service}'))),
  )
  .withRow(new dashboard.RowBuilder('Measured and wanted'))
  .withPanel(
    beside(
      'Time to restore',
      'What the last proven restore took (RTO), beside what is wanted.',
      `fettle_restore_duration_seconds{${service}}`,
      'drill',
      'rto',
    ),
  )
  .withPanel(
    beside(
      'Age of the data',
      'How old the newest data of the last proven restore was (RPO), beside what is wanted.',
      `fettle_restore_data_age_seconds{${service}}`,
      'drill',
      'rpo',
    ),
  )
  .withRow(new dashboard.RowBuilder('Faults that are rehearsed'))
  .withPanel(faults)
  .withPanel(
    beside(
      'Time to detect a rehearsed fault',
      'From the fault until the service was down, in the last drill, beside what is wanted.',
      stage('detect'),
      'fault',
      'detect',
    ),
  )
  .withPanel(
    beside(
      'Time to recover from a rehearsed fault',
      'From the fault until the service was up again and the run of its plan was over, in the last drill, beside what is wanted.',
      stage('recover'),
      'fault',
      'recover',
    ),
  );
