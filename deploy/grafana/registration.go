package main

// registration follows people from their code to their confirmation.
func registration() dashboard {
	return newDashboard("matriq-registration", "Matriq: registration and mail",
		"The way of people through a registration, and of the mails to them.", nil,
		row{"The funnel, in the time shown", 4, []panel{
			tile("Asked → mailed", "Requests for a code that led to one. The rest were not on the list, had registered, or wait for the relay.", share, stepRatio("mailed", "asked")),
			tile("Mailed → proved", "Codes that came back. A low share means that mails do not arrive, or arrive too late.", share, stepRatio("proved", "mailed")),
			tile("Proved → registered", "People who proved their address and gave their names.", share, stepRatio("registered", "proved")),
			tile("Registered → enrolled", "Must come to 100 %, with the delay that the queues show.", share, stepRatio("enrolled", "registered")),
			tile("Registered → confirmed", "Must come to 100 %, with the delay that the queues show.", share, stepRatio("confirmed", "registered")),
		}},
		row{"Codes", 8, []panel{
			graph("Codes, a second", "Codes asked for, mailed, and proved.", perSecond,
				query{"{{step}}", `sum by (step) (rate(matriq_funnel_total{step=~"asked|mailed|proved"}[$__rate_interval]))`}),
			graph("Code, until mailed", "From the making of a code until the mail relay has the mail.", seconds,
				query{"half", `histogram_quantile(0.5, sum by (le) (rate(matriq_mail_lag_seconds_bucket[5m])))`},
				query{"19 of 20", `histogram_quantile(0.95, sum by (le) (rate(matriq_mail_lag_seconds_bucket[5m])))`},
				query{"99 of 100", `histogram_quantile(0.99, sum by (le) (rate(matriq_mail_lag_seconds_bucket[5m])))`}),
			heat("Code, until mailed: how it is spread", "Two clouds instead of one mean that some mails needed a second attempt.", seconds,
				query{"{{le}}", `sum by (le) (increase(matriq_mail_lag_seconds_bucket[$__rate_interval]))`}),
		}},
		row{"", 8, []panel{
			graph("Codes refused, a second", "Requests that a limit refused, by the limit. source_limit from a campus means that its network belongs into SOURCE_ALLOW.", perSecond,
				query{"{{reason}}", `sum by (reason) (rate(matriq_otp_refused_total[$__rate_interval]))`}),
			graph("Mails with codes, a second", "Attempts, by what became of them. decoy: nobody is told anything; deferred: tried again; refused: parked.", perSecond,
				query{"{{result}}", `sum by (result) (rate(matriq_mails_total{lane="otp"}[$__rate_interval]))`}),
			graph("Mails being sent", "Mails in the hands of the workers. At SMTP_CONNECTIONS for each replica the relay sets the pace.", number,
				query{"{{job}}", `sum by (job) (matriq_rpc_handling{program="email"})`}),
		}},
		row{"What follows a registration", 8, []panel{
			graph("Done after", "From the commit of a registration until its enrolment, its confirmation, and the retirement of its address: 19 of 20.", seconds,
				query{"{{target}}", `histogram_quantile(0.95, sum by (target, le) (rate(matriq_outbox_done_seconds_bucket[5m])))`}),
			graph("Still open", "What has to follow and has not. It rises in a rush and falls after it.", number,
				query{"open", `max(matriq_outbox_open)`}),
			graph("Oldest still open", "Rows older than a minute are sent again; one that stays old has a parked message.", seconds,
				query{"age", `max(matriq_outbox_oldest_open_seconds)`}),
			graph("Confirmations, a second", "Attempts at confirmations, by what became of them.", perSecond,
				query{"{{result}}", `sum by (result) (rate(matriq_mails_total{lane="confirm"}[$__rate_interval]))`}),
		}},
		row{"The list", 8, []panel{
			graph("Rows imported", "Rows of imported lists, by what became of them. Rejected ones are no addresses; the import's report names each.", number,
				query{"{{result}}", `sum by (result) (increase(matriq_import_rows_total[$__rate_interval]))`}),
		}},
	)
}

// stepRatio is how many of those at one step of the funnel got to another.
func stepRatio(to, from string) query {
	return query{"", `sum(increase(matriq_funnel_total{step="` + to + `"}[$__range])) / sum(increase(matriq_funnel_total{step="` + from + `"}[$__range]))`}
}
