// Certificates as probes see them: which expires next, which is refused, who still speaks an old TLS.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  ascending,
  board,
  coloured,
  from,
  legendBeside,
  lines,
  nodeKey,
  number,
  rows,
  service,
  serviceKey,
  states,
  unit,
  wide,
  words,
} from './parts';

// When it ends: of the chain that was verified where there is one, as in the rule CertificateExpiring.
const expiry =
  `(probe_ssl_last_chain_expiry_timestamp_seconds{${service}} > 0 or on (job, instance, service, probe) ` +
  `probe_ssl_earliest_cert_expiry{${service}})`;
const left = `(${expiry} - time())`;
const day = 86400;
const keys = 'service, probe, instance';
const soon = from('red', [3, 'orange'], [14, 'yellow'], [30, 'green']);
const refused = words([0, 'accepted', 'green'], [1, 'refused', 'red']);

export const certificates = board(
  'fettle-certificates',
  'fettle / Certificates',
  'Every certificate that a probe meets: how long it is valid, whether it is accepted, which TLS is spoken.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Certificates seen',
      'Probes that meet a certificate.',
      `count(probe_ssl_earliest_cert_expiry{${service}}) or vector(0)`,
      'short',
      from('red', [1, 'blue']),
    ),
  )
  .withPanel(
    number(
      'Days to the next expiry',
      'Days until the first of the certificates expires.',
      `min(${left}) / ${day}`,
      'short',
      from('red', [3, 'orange'], [14, 'green']),
    ).decimals(1),
  )
  .withPanel(
    number(
      'Expire within 14 days',
      'Certificates for which CertificateExpiring warns, from 14 days before the end.',
      `count(${left} < ${14 * day}) or vector(0)`,
      'short',
      from('green', [1, 'orange']),
    ),
  )
  .withPanel(
    number(
      'Expire within 3 days',
      'Certificates for which CertificateExpiring is critical.',
      `count(${left} < ${3 * day}) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Refused',
      'Certificates that the probe did not accept: an unknown issuer, another name, expired.',
      `sum(probe_tls_certificate_refused{${service}}) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Older than TLS 1.3',
      'Peers that did not agree on TLS 1.3.',
      `count(probe_tls_version_info{version!="TLS 1.3",${service}}) or vector(0)`,
      'short',
      from('green', [1, 'yellow']),
    ),
  )
  .withRow(new dashboard.RowBuilder('Certificates by time left'))
  .withPanel(
    rows(
      'Each certificate',
      'The next to expire first.',
      [
        serviceKey,
        { label: 'probe', title: 'Probe' },
        nodeKey,
        { label: 'subject', title: 'Subject' },
        { label: 'issuer', title: 'Issuer' },
        { label: 'version', title: 'TLS' },
      ],
      [
        {
          title: 'Days left',
          expr:
            `min by (${keys}) (${left}) / ${day} * on (${keys}) group_left (subject, issuer) ` +
            `max by (${keys}, subject, issuer) (probe_ssl_last_chain_info{${service}}) * on (${keys}) ` +
            `group_left (version) max by (${keys}, version) (probe_tls_version_info{${service}})`,
          show: [...unit('short', 1), ...coloured('color-background', soon), wide(120)],
        },
      ],
    )
      .height(8)
      .sortBy(ascending('Days left')),
  )
  .withRow(new dashboard.RowBuilder('Over time'))
  .withPanel(
    lines(
      'Days left over time',
      'It jumps up when a certificate is renewed; a line that goes below 14 days shows one that was forgotten.',
      'short',
      `min by (${keys}) (${left}) / ${day}`,
      '{{service}} {{probe}} {{instance}}',
    ).legend(legendBeside()),
  )
  .withPanel(
    states(
      'Accepted or refused',
      'Whether each probe accepted the certificate.',
      refused,
      `max by (${keys}) (probe_tls_certificate_refused{${service}})`,
      '{{service}} {{probe}} {{instance}}',
    ).span(12),
  );
