package main

// opening is the screen of the morning when registration opens.
func opening() dashboard {
	return newDashboard("matriq-opening", "Matriq: opening",
		"Everything that matters while people register, on one screen. Look here first; the other dashboards say why.", nil,
		row{height: 4, panels: []panel{
			tile("Registered", "Students registered in the time shown.", number,
				query{"", `sum(increase(matriq_funnel_total{step="registered"}[$__range]))`}),
			tile("Registrations a minute", "Now. Zero while people prove their addresses is an outage: see NoRegistrations.", perMinute,
				query{"", `60 * sum(rate(matriq_funnel_total{step="registered"}[$__rate_interval]))`}),
			tile("Codes mailed a second", "Now. It should follow the codes asked for; the mail relay's own limit shows here.", perSecond,
				query{"", `sum(rate(matriq_funnel_total{step="mailed"}[$__rate_interval]))`}),
			tile("Code, until mailed", "19 of 20 codes of the last 5 minutes were with the mail relay within this time of their making. A code lives 10 minutes.", seconds,
				query{"", `histogram_quantile(0.95, sum by (le) (rate(matriq_mail_lag_seconds_bucket[5m])))`}, 10, 30),
			tile("Confirmation, until mailed", "19 of 20 confirmations of the last 5 minutes were with the mail relay within this time of the registration.", seconds,
				query{"", `histogram_quantile(0.95, sum by (le) (rate(matriq_outbox_done_seconds_bucket{target="email.send"}[5m])))`}, 60, 300),
			tile("Failed answers", "Share of 5xx among all answers of pages and gateways in the last 5 minutes.", share,
				query{"", `(sum(rate(matriq_http_requests_total{status=~"5.."}[5m])) or vector(0)) / sum(rate(matriq_http_requests_total[5m]))`}, 0.001, 0.01),
			tile("Not ready", "Checks of replicas that fail: a broker, a database, a Redis or the mail relay that one of them cannot reach.", number,
				query{"", `count(matriq_ready == 0) or vector(0)`}, 1, 2),
			tile("Alerts", "Alerts that fire. They are listed at the bottom; docs/operations.md tells what each means.", number,
				query{"", `count(ALERTS{alertstate="firing"}) or vector(0)`}, 1, 3),
		}},
		row{height: 9, panels: []panel{
			graph("Funnel, a second", "How many people a second get to each step. The lines should follow each other; a gap that opens shows where people, or we, are stuck.", perSecond,
				query{"{{step}}", `sum by (step) (rate(matriq_funnel_total[$__rate_interval]))`}),
			bars("Funnel, in the time shown", "How many got to each step. Asked counts addresses that are not on the list too; nobody is mailed for those.", number, funnel()...),
		}},
		row{height: 8, panels: []panel{
			graph("Mail lag", "From the making of a code, and from a registration, until the mail relay has the mail: half of them, and 19 of 20.", seconds,
				query{"codes, half", `histogram_quantile(0.5, sum by (le) (rate(matriq_mail_lag_seconds_bucket[5m])))`},
				query{"codes, 19 of 20", `histogram_quantile(0.95, sum by (le) (rate(matriq_mail_lag_seconds_bucket[5m])))`},
				query{"confirmations, 19 of 20", `histogram_quantile(0.95, sum by (le) (rate(matriq_outbox_done_seconds_bucket{target="email.send"}[5m])))`}),
			graph("Failures, a second", "Answers of 5xx, calls that failed by no fault of the caller, and attempts at mails that the relay put off or refused. Nothing is the usual.", perSecond,
				query{"edge 5xx", `sum(rate(caddy_http_request_duration_seconds_count{handler="headers", code=~"5.."}[$__rate_interval]))`},
				query{"{{job}} 5xx", `sum by (job) (rate(matriq_http_requests_total{status=~"5.."}[$__rate_interval]))`},
				query{"call {{method}}", `sum by (method) (rate(matriq_rpc_call_seconds_count{code=~"unavailable|deadline_exceeded|internal"}[$__rate_interval]))`},
				query{"mail {{lane}} {{result}}", `sum by (lane, result) (rate(matriq_mails_total{result=~"deferred|refused"}[$__rate_interval]))`}),
			graph("Waiting", "Messages in the queues, by what they wait for, and what still has to follow a registration. Parked messages wait for you: matriq dlq ls.", number,
				query{"{{stage}}", `sum by (stage) (rabbitmq_detailed_queue_messages{stage!=""})`},
				query{"follow-ups open", `max(matriq_outbox_open)`}),
		}},
		row{height: 8, panels: []panel{
			graph("Requests, a second", "Answers of the edge to the outside, and of the pages and both gateways behind it. The first page is cached at the edge.", requests,
				query{"edge", `sum(rate(caddy_http_requests_total{handler="headers"}[$__rate_interval]))`},
				query{"{{job}}", `sum by (job) (rate(matriq_http_requests_total[$__rate_interval]))`}),
			graph("Answers take", "19 of 20 answers are faster than this.", seconds,
				query{"{{job}}", `histogram_quantile(0.95, sum by (job, le) (rate(matriq_http_request_duration_seconds_bucket[$__rate_interval])))`}),
			graph("Replicas", "Replicas that Prometheus reaches, by service.", number,
				query{"{{job}}", `sum by (job) (up{job!~"prometheus|rabbitmq-queues"})`}),
		}},
		row{height: 7, panels: []panel{
			table("Alerts", "What fires, and what is about to (pending).", number,
				query{"", `ALERTS`}, "Value", "__name__"),
		}},
	)
}

// funnel has the steps in their order.
func funnel() []query {
	var steps []query
	for _, step := range []string{"asked", "mailed", "proved", "registered", "enrolled", "confirmed"} {
		steps = append(steps, query{step, `sum(increase(matriq_funnel_total{step="` + step + `"}[$__range]))`})
	}
	return steps
}
