#include "app/families.h"

#include "app/samples.h"

namespace app {
namespace {

std::string_view help_of(std::string_view measurement) {
  static const std::map<std::string_view, std::string_view> texts{
      {"probe_dns_lookup_time_seconds", "Time the look-up of the target's name took."},
      {"probe_failed_due_to_regex", "1 if a regular expression about the answer was not met."},
      {"probe_http_content_length", "Length of the body as the answer declared it, -1 if it did not."},
      {"probe_http_duration_seconds", "Time of the HTTP request by phase, over all redirects."},
      {"probe_http_redirects", "Redirects that were followed."},
      {"probe_http_ssl", "1 if the last request was over TLS."},
      {"probe_http_status_code", "Status code of the last answer."},
      {"probe_http_uncompressed_body_length", "Bytes of the body that were read."},
      {"probe_http_version", "HTTP version of the last answer."},
      {"probe_http_last_modified_timestamp_seconds", "Last-Modified of the last answer, in seconds since the epoch."},
      {"probe_ip_protocol", "4 or 6: the protocol of the address that was used."},
      {"probe_ip_addr_hash", "Hash of the address that was used: a change of it shows that the name moved."},
      {"probe_ssl_earliest_cert_expiry",
       "Earliest end of validity of the certificates that the peer sent, in seconds since the epoch."},
      {"probe_ssl_last_chain_expiry_timestamp_seconds",
       "End of validity of the verified chain, in seconds since the epoch."},
      {"probe_ssl_last_chain_info", "Always 1; the labels describe the peer's own certificate."},
      {"probe_tls_version_info", "Always 1; the label is the TLS version that was agreed on."},
      {"probe_tls_cipher_info", "Always 1; the label is the cipher that was agreed on."},
      {"probe_journey_step_duration_seconds", "Time of a step of the journey, redirects included."},
      {"probe_journey_step_status_code", "Status of the last answer of a step of the journey; 0 if there was none."},
      {"probe_journey_step_success", "1 if a step of the journey did what it must; absent if it did not run."},
      {"probe_journey_steps", "Steps that the journey has."},
      {"probe_expect_info", "Always 1; the labels were captured from the answer."},
  };
  const auto found = texts.find(measurement);
  return found == texts.end() ? "A value that the probe measured; the probe type's reference says what."
                              : found->second;
}

}  // namespace

void add_outcome(Families& families, const model::Outcome& outcome, const model::Labels& labels) {
  families.add("probe_success", "1 if the last run of the probe found its target working.", labels, outcome.up ? 1 : 0);
  families.add("probe_duration_seconds", "How long the last run of the probe took.", labels,
               base::seconds(outcome.took));
  for (const model::Measurement& m : outcome.measurements) {
    const model::Labels all = with_own_renamed(labels, m.labels);
    // An application's own numbers (the prometheus type): what they are was said at their source.
    if (m.name.starts_with("probe_")) families.add(m.name, help_of(m.name), all, m.value);
    else families.add(m.name, "As scraped from the service.", all, m.value, model::MetricType::unknown);
  }
}

}  // namespace app
