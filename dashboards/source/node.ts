// One node: which of its services suffer, and whether memory, disks or the wait for them are the cause.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  ascending,
  board,
  coloured,
  dataLinks,
  descending,
  from,
  lines,
  node,
  nodeKey,
  number,
  rows,
  service,
  serviceKey,
  states,
  toService,
  unit,
  upOrDown,
  words,
  worded,
} from './parts';

const left = (red: number, yellow: number) => coloured('gauge', from('red', [red, 'yellow'], [yellow, 'green']));
// What systemd says of a unit, as one number each.
const unitStates = [
  ['active', 'active', 'green'],
  ['reloading', 'reloading', 'light-blue'],
  ['activating', 'activating', 'yellow'],
  ['deactivating', 'deactivating', 'orange'],
  ['inactive', 'inactive', 'text'],
  ['failed', 'failed', 'red'],
];
const stateWords = words(...unitStates.map(([, text, color], value): [number, string, string] => [value, text, color]));
const stateOfUnits = unitStates
  .map(([state], value) => `probe_systemd_unit_state{state="${state}",${service}} * ${value}`)
  .join(' or ');
// A value of each unit, with how its last run ended.
const ofUnits = (expr: string) =>
  `max by (service, instance, result) ((${expr}) * on (job, instance, service, probe) group_left (result) ` +
  `probe_systemd_unit_result{${service}})`;
const percent = [...unit('percent', 1), { id: 'min', value: 0 }, { id: 'max', value: 100 }];

export const nodeBoard = board(
  'fettle-node',
  'fettle / Node',
  'One node, or several beside each other: its services, and its memory, disks and pressure as the probes node and disk see them.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Services',
      'Services that the agent looks after and has a verdict on.',
      `count(fettle_service_up{${service}}) or vector(0)`,
      'short',
      from('blue'),
    ),
  )
  .withPanel(
    number(
      'Down',
      'Services that are down right now.',
      `count(fettle_service_up{${service}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'In maintenance',
      'Services that nothing is done to, because people work on them.',
      `sum(fettle_maintenance{${service}}) or vector(0)`,
      'short',
      from('green', [1, 'blue']),
    ),
  )
  .withPanel(
    number(
      'Memory left',
      'Memory that programs can still get without swapping; of several nodes the least.',
      `min(probe_node_memory_available_percent{${node}})`,
      'percent',
      from('red', [5, 'orange'], [15, 'green']),
    ).decimals(1),
  )
  .withPanel(
    number(
      'Disk left',
      'What is left for users on the fullest file system.',
      `min(probe_disk_available_percent{${node}})`,
      'percent',
      from('red', [5, 'orange'], [10, 'green']),
    ).decimals(1),
  )
  .withPanel(
    number(
      'Pressure',
      'Most that tasks waited for CPU, memory or disks: part of the last 10 seconds in which some task did.',
      `max(probe_node_pressure_percent{kind="some",${node}})`,
      'percent',
      from('green', [40, 'orange'], [80, 'red']),
    ).decimals(1),
  )
  .withRow(new dashboard.RowBuilder('Services of the node'))
  .withPanel(
    states(
      'Health of its services',
      'Each service over time; a gap is a time in which nothing was known.',
      upOrDown,
      `fettle_service_up{${service}}`,
      '{{service}} {{instance}}',
    )
      .height(11)
      .span(12)
      .dataLinks(dataLinks(toService('${__field.labels.service}'))),
  )
  .withPanel(
    rows(
      'Services by availability',
      'How each service is, and what its recovery plan may still do; the worst first.',
      [serviceKey, nodeKey],
      [
        {
          title: 'State',
          expr: `min by (service, instance) (fettle_service_up{${service}})`,
          show: worded(upOrDown, 'color-background'),
        },
        {
          title: 'Availability',
          expr: `avg by (service, instance) (avg_over_time(fettle_service_up{${service}}[$__range]))`,
          show: [...unit('percentunit', 2), ...coloured('color-text', from('red', [0.99, 'yellow'], [0.999, 'green']))],
        },
        {
          title: 'Attempts left',
          expr: `min by (service, instance) (fettle_recovery_attempts_left{${service}})`,
          show: [...unit('short'), ...coloured('color-text', from('red', [1, 'green']))],
        },
        {
          title: 'Runs for',
          expr: `time() - max by (service, instance) (probe_process_start_time_seconds{${service}})`,
          show: unit('dtdhms'),
        },
      ],
    )
      .height(11)
      .span(12)
      .sortBy(ascending('Availability')),
  )
  .withRow(new dashboard.RowBuilder('Units'))
  .withPanel(
    states(
      'What systemd says of the units',
      'The state of each unit that a probe of type systemd looks at, over time.',
      stateWords,
      `sum by (service, instance) (${stateOfUnits})`,
      '{{service}} {{instance}}',
    )
      .height(6)
      .span(12)
      .dataLinks(dataLinks(toService('${__field.labels.service}'))),
  )
  .withPanel(
    rows(
      'Units by restarts',
      'How often systemd itself restarted each unit, how its last run ended, and since when it is active. What recovery plans restarted does not count.',
      [serviceKey, nodeKey, { label: 'result', title: 'Last result' }],
      [
        {
          title: 'Restarts',
          expr: ofUnits(`probe_systemd_unit_restarts{${service}}`),
          show: [...unit('short'), ...coloured('color-text', from('green', [1, 'orange'], [5, 'red']))],
        },
        {
          title: 'Active for',
          expr: ofUnits(`time() - probe_systemd_unit_start_time_seconds{${service}}`),
          show: unit('dtdhms'),
        },
      ],
    )
      .height(6)
      .span(12)
      .sortBy(descending('Restarts')),
  )
  .withRow(new dashboard.RowBuilder('What the node lacks'))
  .withPanel(
    lines(
      'Memory available',
      'Part of the memory that programs can still get without swapping.',
      'percent',
      `max by (instance) (probe_node_memory_available_percent{${node}})`,
      '{{instance}}',
    )
      .max(100)
      .span(8),
  )
  .withPanel(
    lines(
      'Waiting for CPU, memory and disks',
      'Part of the last 10 seconds in which some task waited (PSI). Memory and io above a few percent make services slow.',
      'percent',
      `max by (instance, resource) (probe_node_pressure_percent{kind="some",${node}})`,
      '{{instance}} {{resource}}',
    ).span(8),
  )
  .withPanel(
    lines(
      'Room on disks',
      'Part of each file system that is left for users.',
      'percent',
      `min by (instance, probe) (probe_disk_available_percent{${node}})`,
      '{{instance}} {{probe}}',
    )
      .max(100)
      .span(8),
  )
  .withPanel(
    rows(
      'File systems',
      'What is left, and when nothing is left if it goes on as in the shown range; a year at most.',
      [nodeKey, { label: 'probe', title: 'File system' }],
      [
        { title: 'Size', expr: `max by (instance, probe) (probe_disk_size_bytes{${node}})`, show: unit('bytes') },
        { title: 'Left', expr: `min by (instance, probe) (probe_disk_available_bytes{${node}})`, show: unit('bytes') },
        {
          title: 'Part left',
          expr: `min by (instance, probe) (probe_disk_available_percent{${node}})`,
          show: [...percent, ...left(5, 10)],
        },
        {
          title: 'Inodes left',
          expr: `min by (instance, probe) (probe_disk_inodes_available_percent{${node}})`,
          show: [...percent, ...left(5, 10)],
        },
        {
          title: 'Full in',
          expr:
            `clamp_max(min by (instance, probe) (probe_disk_available_bytes{${node}} ` +
            `/ clamp_min(-deriv(probe_disk_available_bytes{${node}}[$__range]), 1)), 31536000)`,
          show: [...unit('s', 0), ...coloured('color-text', from('red', [3600, 'orange'], [86400, 'green']))],
        },
        {
          title: 'Mounted',
          expr: `max by (instance, probe) (probe_disk_read_only{${node}})`,
          show: worded(words([0, 'read and write', 'green'], [1, 'read only', 'red']), 'color-text'),
        },
      ],
    ).height(6),
  );
