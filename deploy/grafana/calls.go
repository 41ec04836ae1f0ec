package main

// calls is what goes over the broker, as the programs at both ends see it.
func calls() dashboard {
	return newDashboard("matriq-calls", "Matriq: calls and casts",
		"RPC: calls, casts and events, as their senders and their receivers see them.", services("matriq_rpc_connection_up"),
		row{"Calls, as the caller sees them", 8, []panel{
			graph("Calls, a second", "By method.", perSecond,
				query{"{{method}}", `sum by (method) (rate(matriq_rpc_call_seconds_count{job=~"$job"}[$__rate_interval]))`}),
			graph("Calls take", "19 of 20 calls are faster than this, waiting in the queue included.", seconds,
				query{"{{method}}", `histogram_quantile(0.95, sum by (method, le) (rate(matriq_rpc_call_seconds_bucket{job=~"$job"}[$__rate_interval])))`}),
			graph("Failed, a second", "Calls that ended with an error, by its code. failed_precondition and the like are the caller's own fault.", perSecond,
				query{"{{method}} {{code}}", `sum by (method, code) (rate(matriq_rpc_call_seconds_count{job=~"$job", code!="ok"}[$__rate_interval]))`}),
		}},
		row{"", 8, []panel{
			graph("Waiting for a reply", "Calls under way.", number,
				query{"{{job}}", `sum by (job) (matriq_rpc_calls_in_flight{job=~"$job"})`}),
			graph("Made again, a second", "Calls that were made again because the first had surely not run or may run twice.", perSecond,
				query{"{{method}}", `sum by (method) (rate(matriq_rpc_call_repeats_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Unroutable, a second", "Messages that no queue was there for: the service was never started on this broker.", perSecond,
				query{"{{method}}", `sum by (method) (rate(matriq_rpc_unroutable_total{job=~"$job"}[$__rate_interval]))`}),
		}},
		row{"Handling, as the service sees it", 8, []panel{
			graph("Handled, a second", "Calls, casts and events, by method.", perSecond,
				query{"{{method}}", `sum by (method) (rate(matriq_rpc_handle_seconds_count{job=~"$job"}[$__rate_interval]))`}),
			graph("Handling takes", "19 of 20 are faster than this, without the time in the queue. Much less than a call takes means that there are too few replicas.", seconds,
				query{"{{method}}", `histogram_quantile(0.95, sum by (method, le) (rate(matriq_rpc_handle_seconds_bucket{job=~"$job"}[$__rate_interval])))`}),
			graph("Failed, a second", "Handlers that returned an error, by its code.", perSecond,
				query{"{{method}} {{code}}", `sum by (method, code) (rate(matriq_rpc_handle_seconds_count{job=~"$job", code!="ok"}[$__rate_interval]))`}),
		}},
		row{"", 8, []panel{
			graph("Being handled", "Messages in the hands of handlers.", number,
				query{"{{job}}", `sum by (job) (matriq_rpc_handling{job=~"$job"})`}),
			graph("Dropped after their deadline, a second", "Work whose caller had gone, and codes that had died.", perSecond,
				query{"{{method}}", `sum by (method) (rate(matriq_rpc_expired_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Panics", "Handlers that panicked. Each is a bug: its log has the stack.", number,
				query{"{{method}}", `sum by (method) (increase(matriq_rpc_panics_total{job=~"$job"}[$__rate_interval]))`}),
		}},
		row{"Casts and events", 8, []panel{
			graph("Sent, a second", "Casts and events that the broker has stored, and those that it has not, by method.", perSecond,
				query{"{{method}} {{code}}", `sum by (method, code) (rate(matriq_rpc_casts_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Tried again, a second", "Attempts that failed and have another one coming.", perSecond,
				query{"{{method}}", `sum by (method) (rate(matriq_rpc_retries_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Parked", "Messages put aside for you: matriq dlq ls.", number,
				query{"{{method}} {{reason}}", `sum by (method, reason) (increase(matriq_rpc_parked_total{job=~"$job"}[$__rate_interval]))`}),
		}},
		row{"Connections to the broker", 8, []panel{
			graph("Connected", "1 while all replicas of a service are connected and the broker takes their messages.", yesOrNo,
				query{"{{job}}", `min by (job) (matriq_rpc_connection_up{job=~"$job"})`}),
			graph("Lost", "Connections lost. One for each replica when the broker is restarted.", number,
				query{"{{job}}", `sum by (job) (increase(matriq_rpc_connections_lost_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Replies for nobody", "Replies that came after their caller had given up (dropped), or found it gone (unsent).", number,
				query{"{{job}} dropped", `sum by (job) (increase(matriq_rpc_replies_dropped_total{job=~"$job"}[$__rate_interval]))`},
				query{"{{job}} unsent", `sum by (job) (increase(matriq_rpc_replies_unsent_total{job=~"$job"}[$__rate_interval]))`}),
		}},
	)
}
