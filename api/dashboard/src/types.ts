// The parts of the API's documents that the page reads. Their one statement is the Go package api/v1.

export type Risk = "safe" | "moderate" | "high" | "critical";

export interface Status {
  node_id: string;
  fingerprint: string;
  display_name: string;
  version: string;
  started_at: string;
  uptime_seconds: number;
  events: number;
  events_24h: number;
  peers: { connected: number; known: number; pending: number };
  spool: {
    pending_files: number;
    pending_bytes: number;
    torn: number;
    ignored: number;
    last_event_at?: string;
    last_error?: string;
  };
  database: { path: string; size_bytes: number; wal_bytes: number; summaries: number; audit_entries: number };
  memory: { rss_bytes: number; heap_bytes: number };
  health: "ok" | "starting" | "degraded" | "failing";
  health_reasons: string[];
  listen: string[];
}

export interface CommandEvent {
  id: string;
  timestamp: string;
  shell: string;
  command: string;
  cwd: string;
  exit_code?: number;
  duration_ms?: number;
  category: string;
  risk_level: Risk;
  caro_generated: boolean;
  caro_executed: boolean;
  user_confirmed: boolean;
  blocked: boolean;
  session?: string;
  redactions: string[];
}

export interface EventPage {
  events: CommandEvent[];
  next_cursor?: string;
}

export type PeerState = "connected" | "offline" | "refused" | "untrusted" | "pending";

export interface Peer {
  node_id: string;
  fingerprint: string;
  peer_id: string;
  display_name?: string;
  trust: string;
  rule: { name: string; source: string; line?: number };
  addresses: string[];
  source: string;
  state: PeerState;
  state_reason?: string;
  online: boolean;
  last_seen?: string;
  rtt_ms?: number;
  caro_version?: string;
  health?: "ok" | "degraded";
  uptime_seconds?: number;
}

export interface PeerPage {
  peers: Peer[];
}

export interface Grant {
  node_id: string;
  fingerprint: string;
  trust: string;
  deny: boolean;
  rule: { name: string; source: string; line?: number };
}

export interface Preview {
  summary: {
    period: { start: string; end: string };
    category_stats: { category: string; count: number; failure_count: number }[];
    hourly_activity: number[];
    safety_stats: { by_risk: Record<Risk, number>; blocked_count: number };
    total_commands: number;
    unique_patterns: number;
  };
  shared_with: { node_id: string; name?: string; trust: string }[];
  denied_categories: string[];
}

export interface Problem {
  title?: string;
  status?: number;
  detail?: string;
}
