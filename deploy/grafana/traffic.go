package main

// traffic is HTTP: pages and gateways.
func traffic() dashboard {
	return newDashboard("matriq-traffic", "Matriq: traffic",
		"Requests to the pages and to the REST gateways.", services("matriq_http_requests_total"),
		row{"At the edge", 8, []panel{
			graph("Requests, a second", "Answers of the edge to the outside, by status.", requests,
				query{"{{code}}", `sum by (code) (rate(caddy_http_request_duration_seconds_count{handler="headers"}[$__rate_interval]))`}),
			graph("Not passed on, a second", "Answers that the edge had in its cache, and those for which no replica was found.", requests,
				query{"by the edge", `sum(rate(caddy_http_requests_total{handler="headers"}[$__rate_interval])) - sum(rate(caddy_http_requests_total{handler="reverse_proxy"}[$__rate_interval]))`}),
			graph("Answers take", "Half of the answers and 19 of 20 are faster than this, as people see it.", seconds,
				query{"half", `histogram_quantile(0.5, sum by (le) (rate(caddy_http_request_duration_seconds_bucket{handler="headers"}[$__rate_interval])))`},
				query{"19 of 20", `histogram_quantile(0.95, sum by (le) (rate(caddy_http_request_duration_seconds_bucket{handler="headers"}[$__rate_interval])))`}),
			graph("Being answered", "Requests under way at the edge.", number,
				query{"{{instance}}", `sum by (instance) (caddy_http_requests_in_flight{handler="headers"})`}),
		}},
		row{"Behind it", 8, []panel{
			graph("Requests, a second", "Answers, by service.", requests,
				query{"{{job}}", `sum by (job) (rate(matriq_http_requests_total{job=~"$job"}[$__rate_interval]))`}),
			graph("By status", "Answers, by status. 429 are limits, 503 is something that we cannot reach, or too many people.", requests,
				query{"{{status}}", `sum by (status) (rate(matriq_http_requests_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Answers take", "Half of the answers, 19 of 20, and 99 of 100 are faster than this.", seconds,
				query{"half", `histogram_quantile(0.5, sum by (le) (rate(matriq_http_request_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))`},
				query{"19 of 20", `histogram_quantile(0.95, sum by (le) (rate(matriq_http_request_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))`},
				query{"99 of 100", `histogram_quantile(0.99, sum by (le) (rate(matriq_http_request_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))`}),
			graph("Being answered", "Requests under way. It grows when something behind is slow.", number,
				query{"{{job}}", `sum by (job) (matriq_http_requests_in_flight{job=~"$job"})`}),
		}},
		row{"The gate before the first step", 8, []panel{
			graph("Turned away, a second", "People and clients who were asked to come later because more came than can be served. They got 503 and a time.", requests,
				query{"{{job}}", `sum by (job) (rate(matriq_admission_refused_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Steps under way", "Steps under way in all replicas, and how many may be before first steps are turned away.", number,
				query{"{{job}}", `sum by (job) (matriq_admission_under_way{job=~"$job"})`},
				query{"{{job}} limit", `sum by (job) (matriq_admission_limit{job=~"$job"})`}),
		}},
		row{"By route", 9, []panel{
			graph("Requests, a second", "Answers, by route.", requests,
				query{"{{job}} {{method}} {{route}}", `sum by (job, method, route) (rate(matriq_http_requests_total{job=~"$job"}[$__rate_interval]))`}),
			graph("Answers take", "19 of 20 answers are faster than this, by route.", seconds,
				query{"{{job}} {{method}} {{route}}", `histogram_quantile(0.95, sum by (job, method, route, le) (rate(matriq_http_request_duration_seconds_bucket{job=~"$job"}[$__rate_interval])))`}),
		}},
		row{"", 9, []panel{
			graph("Refused, a second", "Answers of 4xx, by route and status: what people and clients did wrong, and limits.", requests,
				query{"{{job}} {{route}} {{status}}", `sum by (job, route, status) (rate(matriq_http_requests_total{job=~"$job", status=~"4.."}[$__rate_interval]))`}),
			graph("Failed, a second", "Answers of 5xx, by route and status: what we did wrong.", requests,
				query{"{{job}} {{route}} {{status}}", `sum by (job, route, status) (rate(matriq_http_requests_total{job=~"$job", status=~"5.."}[$__rate_interval]))`}),
			graph("By replica", "Answers, by replica: whether the load is spread.", requests,
				query{"{{job}} {{instance}}", `sum by (job, instance) (rate(matriq_http_requests_total{job=~"$job"}[$__rate_interval]))`}),
		}},
	)
}
