package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	v1 "github.com/caro-mesh/caro-node/api/v1"
)

// newMetrics serves the node's status and its process in Prometheus' text format. The figures are read when they are
// asked for, so that nothing has to be counted twice.
func newMetrics(b Backend, version string, log *slog.Logger) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(),
		&statusCollector{backend: b, log: log},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "caro_build_info", Help: "1, with the version of the program.",
			ConstLabels: prometheus.Labels{"version": version}}, func() float64 { return 1 }),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling: promhttp.ContinueOnError,
	})
}

// figure is one metric and where its value stands in the status.
type figure struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*v1.Status) float64
}

func newFigure(name, help string, kind prometheus.ValueType, value func(*v1.Status) float64) figure {
	return figure{desc: prometheus.NewDesc(name, help, nil, nil), kind: kind, value: value}
}

var figures = []figure{
	newFigure("caro_events_total", "Commands stored; falls when old ones are removed.", prometheus.CounterValue, func(s *v1.Status) float64 { return float64(s.Events) }),
	newFigure("caro_peers_connected", "Nodes connected now.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.Peers.Connected) }),
	newFigure("caro_peers_known", "Nodes in the list of peers.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.Peers.Known) }),
	newFigure("caro_peers_pending", "Nodes that wait for a decision about trust.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.Peers.Pending) }),
	newFigure("caro_refused_connections_total", "Connections of strangers cut off since the start.", prometheus.CounterValue, func(s *v1.Status) float64 { return float64(s.Refused.Connections) }),
	newFigure("caro_spool_pending_bytes", "Bytes of records not yet read.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.Spool.PendingBytes) }),
	newFigure("caro_spool_torn_total", "Records cut in half since the start.", prometheus.CounterValue, func(s *v1.Status) float64 { return float64(s.Spool.Torn) }),
	newFigure("caro_spool_ignored_total", "Records that a filter kept out since the start.", prometheus.CounterValue, func(s *v1.Status) float64 { return float64(s.Spool.Ignored) }),
	newFigure("caro_database_bytes", "Size of the database without its write-ahead log.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.Database.SizeBytes) }),
	newFigure("caro_summaries", "Own and received summaries stored.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.Database.Summaries) }),
	newFigure("caro_audit_entries", "Records of the audit chain stored.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.Database.AuditEntries) }),
	newFigure("caro_healthy", "1 while health is ok.", prometheus.GaugeValue, func(s *v1.Status) float64 {
		if s.Health == v1.HealthOK {
			return 1
		}
		return 0
	}),
	newFigure("caro_uptime_seconds", "Seconds since the node started.", prometheus.GaugeValue, func(s *v1.Status) float64 { return float64(s.UptimeSeconds) }),
}

var refusedMessages = prometheus.NewDesc("caro_refused_messages_total", "Requests and answers of peers refused since the start.", []string{"reason"}, nil)

// statusCollector reads the status once per scrape.
type statusCollector struct {
	backend Backend
	log     *slog.Logger
}

// scrapeTimeout is below the ten seconds that scrapers wait by default.
const scrapeTimeout = 5 * time.Second

func (c *statusCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range figures {
		ch <- f.desc
	}
	ch <- refusedMessages
}

func (c *statusCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout) // the interface hands over no context
	defer cancel()
	status, err := c.backend.Status(ctx)
	if err != nil {
		c.log.ErrorContext(ctx, "metrics without the node's figures", "error", err)
		return // the process's own metrics are still worth having
	}
	for _, f := range figures {
		ch <- prometheus.MustNewConstMetric(f.desc, f.kind, f.value(&status))
	}
	for reason, n := range status.Refused.Messages {
		ch <- prometheus.MustNewConstMetric(refusedMessages, prometheus.CounterValue, float64(n), reason)
	}
}
