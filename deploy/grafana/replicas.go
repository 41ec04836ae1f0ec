package main

// replicas is the processes and what they hold.
func replicas() dashboard {
	return newDashboard("matriq-replicas", "Matriq: replicas",
		"The processes: which run, what they can reach, and what they use.", services("up"),
		row{"Running", 8, []panel{
			graph("Replicas", "Replicas that Prometheus reaches, by service.", number,
				query{"{{job}}", `sum by (job) (up{job=~"$job"})`}),
			graph("Versions", "Replicas by version: watch an update, and whether it was rolled back.", number,
				query{"{{job}} {{version}}", `count by (job, version) (matriq_build_info{job=~"$job"})`}),
			graph("Age of the youngest", "Time since the last start of a replica. A saw means that it crashes again and again.", seconds,
				query{"{{job}}", `time() - max by (job) (process_start_time_seconds{job=~"$job"})`}),
			graph("Checks", "1 while all replicas of a service pass the check, as /readyz tells.", yesOrNo,
				query{"{{job}} {{check}}", `min by (job, check) (matriq_ready{job=~"$job"})`}),
		}},
		row{"Processes", 8, []panel{
			graph("Processor", "Cores in use, by replica.", number,
				query{"{{job}} {{instance}}", `rate(process_cpu_seconds_total{job=~"$job"}[$__rate_interval])`}),
			graph("Memory", "Resident memory, by replica.", bytes1024,
				query{"{{job}} {{instance}}", `process_resident_memory_bytes{job=~"$job"}`}),
			graph("Goroutines", "By replica. One that only rises is a leak.", number,
				query{"{{job}} {{instance}}", `go_goroutines{job=~"$job"}`}),
			graph("Open files", "Share of the files and connections that a process may have open.", share,
				query{"{{job}} {{instance}}", `process_open_fds{job=~"$job"} / process_max_fds{job=~"$job"}`}),
		}},
		row{"Connections to databases", 8, []panel{
			graph("MariaDB: in use", "Connections in use of those that a replica may have.", share,
				query{"{{job}} {{instance}}", `go_sql_in_use_connections{job=~"$job"} / (go_sql_max_open_connections{job=~"$job"} > 0)`}),
			graph("MariaDB: waiting", "Time spent a second, by all handlers together, waiting for a connection.", seconds,
				query{"{{job}}", `sum by (job) (rate(go_sql_wait_duration_seconds_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Redis: connections", "Connections, by service and by whether a command has them.", number,
				query{"{{job}} {{state}}", `sum by (job, state) (matriq_redis_pool_connections{job=~"$job"})`}),
			graph("Redis: none free, a second", "Commands that failed because no connection was free in time.", perSecond,
				query{"{{job}}", `sum by (job) (rate(matriq_redis_pool_timeouts_total{job=~"$job"}[$__rate_interval]))`}),
		}},
		row{"Watching", 6, []panel{
			graph("Scrapes take", "How long Prometheus waits for the metrics of a service. A check that hangs shows here.", seconds,
				query{"{{job}}", `max by (job) (scrape_duration_seconds{job=~"$job"})`}),
		}},
	)
}
