/**
 * Scaling as the Community Edition does it: Prometheus counts invocations at the gateway, an alert goes to Alertmanager, which calls the gateway's
 * /system/alert; the gateway asks the provider for a step more, and for the least number when the alert is over. The same Prometheus reads
 * the metrics of functions, trigger and edge.
 */

/** A replica more for each that has so many invocations a second; a step is 10 % of the most, at least one. */
const perSecond = 50

/** Scrapes must be at most half as far apart as the window of the rate is long. */
const every = '5s'

/** What Prometheus reads: fixed targets by the name of their job, and the replicas of functions, which the provider names. */
export const scrapeOf = (
  fixed: Readonly<Record<string, string>>,
  provider: { address: string; user: string; password: string },
): Record<string, unknown> => ({
  global: { scrape_interval: every, evaluation_interval: every },
  scrape_configs: [
    ...Object.entries(fixed).map(([job, target]) => ({ job_name: job, static_configs: [{ targets: [target] }] })),
    {
      job_name: 'functions',
      // A function says itself which one it is; where it does not answer, the target does.
      honor_labels: true,
      http_sd_configs: [
        {
          url: `http://${provider.address}/prometheus/targets`,
          refresh_interval: every,
          basic_auth: { username: provider.user, password: provider.password },
        },
      ],
    },
  ],
})

export const scalingAlerts = (alertmanagers: readonly string[], rules: string): Record<string, unknown> => ({
  rule_files: [rules],
  alerting: { alertmanagers: [{ static_configs: [{ targets: alertmanagers }] }] },
})

export const scalingRules = {
  rules: {
    groups: [
      {
        name: 'openfaas',
        rules: [
          {
            alert: 'APIHighInvocationRate',
            expr: `sum(rate(gateway_function_invocation_total{code=~"2.."}[10s])) BY (function_name) > ${perSecond}`,
            for: every,
            labels: { service: 'gateway', severity: 'major' },
            annotations: { description: 'High invocation rate on {{ $labels.function_name }}', summary: 'High invocation rate' },
          },
        ],
      },
    ],
  },
  receiver: (url: string, user: string, password: string): Record<string, unknown> => ({
    route: {
      receiver: 'scale-up',
      group_by: ['alertname', 'function_name'],
      group_wait: '5s',
      group_interval: '10s',
      repeat_interval: '30s',
    },
    receivers: [
      { name: 'scale-up', webhook_configs: [{ url, send_resolved: true, http_config: { basic_auth: { username: user, password } } }] },
    ],
  }),
} as const
