/** Answers of the HTTP API (docs/http-api.md). Times are Unix milliseconds, CPU is in cores. */

export interface Status {
  version: string;
  started_ms: number;
  now_ms: number;
  hosts: number | string[];
  data: { from_ms: number | null; to_ms: number | null; bytes: number; retention_s: number };
  agent: {
    hz: number;
    event: string;
    warnings: string[];
    losses: { name: string; count: number; help: string }[];
    threads: { name: string; state: string; caught_panics: number }[];
  } | null;
}

export interface Spark {
  start_ms: number;
  step_ms: number;
  cpu: (number | null)[];
}

export interface Service {
  service: string;
  cpu: number;
  cpu_now: number;
  samples: number;
  truncated_share: number;
  guessed_share: number;
  unnamed_share: number;
  processes: number;
  hosts: number;
  containers: number;
  is_self: boolean;
  kinds: Record<string, number>;
  spark: Spark;
}

export interface Services {
  services: Service[];
  total_cpu: number;
  from_ms: number;
  to_ms: number;
}

export interface Timeline {
  start_ms: number;
  step_ms: number;
  series: { labels: Record<string, string>; cpu: (number | null)[] }[];
}

export interface Labels {
  labels: { name: string; values: { value: string; cpu: number }[] }[];
}

export interface Quality {
  samples_taken: number;
  samples_lost: Record<string, number>;
  truncated: Record<string, number>;
  unnamed_frames: number;
  low_confidence_frames: number;
  frames: number;
  rooted_share: number;
  guessed: number;
  user_stacks: number;
}

export const EXPORT_FORMATS = ['html', 'svg', 'pprof', 'speedscope', 'folded', 'json'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];
