package main

// queues is the broker, as it sees itself, and the outbox that feeds it.
func queues() dashboard {
	return newDashboard("matriq-queues", "Matriq: queues",
		"RabbitMQ's queues, its memory and disk, and the outbox in front of it. docs/topology.md has the names of the queues.", nil,
		row{"Casts", 8, []panel{
			graph("To be done", "Casts in the work queues, by service: email_otp are codes, email confirmations.", number, stage("work")),
			graph("To be tried again", "Casts that failed and wait for their next attempt.", number, stage("retry")),
			graph("Parked", "Casts that wait for you: matriq dlq ls shows them, replay or drop ends them.", number, stage("parking")),
		}},
		row{"Calls and events", 8, []panel{
			graph("Calls waiting", "Calls that nobody has taken yet. At 10,000 the broker refuses more, and callers fail at once.", number, stage("calls")),
			graph("Events waiting", "Events that a subscriber has not taken yet.", number, stage("events")),
			graph("Being handled", "Messages handed out and not settled, by service.", number,
				query{"{{service}} {{stage}}", `sum by (service, stage) (rabbitmq_detailed_queue_messages_unacked{stage=~"work|calls|events"})`}),
			graph("Consumers", "Who takes from the queues, by service. None is an outage of that service.", number,
				query{"{{service}} {{stage}}", `sum by (service, stage) (rabbitmq_detailed_queue_consumers{stage=~"work|calls|events"})`}),
		}},
		row{"The broker", 8, []panel{
			graph("Memory", "Above the limit publishers are blocked: casts are refused and registrations with them.", bytes1024,
				query{"used", `rabbitmq_process_resident_memory_bytes`},
				query{"limit", `rabbitmq_resident_memory_limit_bytes`}),
			graph("Disk", "Below the limit publishers are blocked.", bytes1024,
				query{"free", `rabbitmq_disk_space_available_bytes`},
				query{"limit", `rabbitmq_disk_space_available_limit_bytes`}),
			graph("Alarms", "1 while publishers are blocked, by the reason.", yesOrNo,
				query{"memory", `rabbitmq_alarms_memory_used_watermark`},
				query{"disk", `rabbitmq_alarms_free_disk_space_watermark`}),
		}},
		row{"", 8, []panel{
			graph("Messages, a second", "What the broker took in, confirmed, and had acknowledged.", perSecond,
				query{"received", `sum(rate(rabbitmq_global_messages_received_total[$__rate_interval]))`},
				query{"confirmed", `sum(rate(rabbitmq_global_messages_confirmed_total[$__rate_interval]))`},
				query{"acknowledged", `sum(rate(rabbitmq_global_messages_acknowledged_total[$__rate_interval]))`}),
			graph("Connections", "Two for each replica, and those of operators.", number,
				query{"connections", `rabbitmq_connections`},
				query{"channels", `rabbitmq_channels`}),
			graph("Opened and closed", "Connections opened and closed: much of both is a program that cannot stay.", number,
				query{"opened", `increase(rabbitmq_connections_opened_total[$__rate_interval])`},
				query{"closed", `increase(rabbitmq_connections_closed_total[$__rate_interval])`}),
		}},
		row{"The outbox of student", 8, []panel{
			graph("Open", "What has to follow a registration and has not. Every replica shows the same table.", number,
				query{"open", `max(matriq_outbox_open)`}),
			graph("Oldest open", "Its age. After a minute it is sent again.", seconds,
				query{"age", `max(matriq_outbox_oldest_open_seconds)`}),
			graph("Sent, a second", "Casts of the outbox that the broker has stored, and those among them that were sent again.", perSecond,
				query{"sent", `sum(rate(matriq_outbox_sends_total[$__rate_interval]))`},
				query{"again", `sum(rate(matriq_outbox_resends_total[$__rate_interval]))`}),
		}},
	)
}

// stage is how many messages the queues of one kind hold.
func stage(name string) query {
	return query{"{{service}}", `sum by (service) (rabbitmq_detailed_queue_messages_ready{stage="` + name + `"})`}
}
