/** What metrics mean; one row per name, without the `lacquer_` prefix. Others are shown by their name alone. */
export const HELP: Readonly<Record<string, string>> = {
  requests_total:
    'Requests, each exactly once, by route, status class (aborted: the client left), cache status word and reason.',
  response_bytes_total: 'Body bytes sent to clients.',
  collapsed_total: 'Requests that waited for a fetch another request had begun.',
  stored_total: 'Requests whose fetch was stored.',
  request_seconds: 'Time from the request head to the last byte handed to the socket, by cache status word.',
  origin_seconds: 'Time of one exchange with the origin.',
  origin_requests_total: 'Exchanges with the origin, by status class or error.',
  origin_bytes_total: 'Body bytes received from the origin.',
  origin_retries_total: 'Further servers tried after the first could not be reached.',
  config_reloads_total: 'Reloads of the configuration, by result.',
  deaths_total: 'Child processes that ended without being told to.',
  metrics_series_dropped_total: 'Increments of series past the bound of the table.',
  event_loop_delay_p99_seconds: 'Of the last second, the worst worker.',
  event_loop_utilization: 'Share of the last second the event loop was busy, the busiest worker.',
  resident_memory_bytes: 'Resident memory of the child processes together.',
};
