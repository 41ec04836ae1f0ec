package capacity

// Ways to register.
const (
	ByPages = "by the pages"
	ByREST  = "by REST"
)

// Cost is what one registration needs, from the wish for a code until the person
// is enrolled, confirmed and off the list.
type Cost struct {
	// Mails are the code and the confirmation.
	Mails float64
	// Calls, Casts and Events are messages between services; a call is a request and
	// a reply. Events are those of who comes alone; of those who come at once many
	// share a message.
	Calls, Casts, Events float64
	// Commits are transactions of several statements at MariaDB when people come one
	// after the other; of those who come at once some share a commit.
	Commits float64
	// Redis are commands, those within scripts too.
	Redis float64
	// CPU is the processor time in milliseconds, by program.
	CPU map[string]float64
}

// Messages are those that the broker takes in.
func (c Cost) Messages() float64 { return 2*c.Calls + c.Casts + c.Events }

// costs of a registration. What is counted is held by a test that counts,
// test/load/costs_test.go. The processor times are those of the bench, rows
// journey and pages, 64 at once: how they were measured is in docs/capacity.md.
func costs() map[string]Cost {
	return map[string]Cost{
		ByREST: {
			Mails: 2, Calls: 3, Casts: 4, Events: 3, Commits: 3, Redis: 50,
			CPU: map[string]float64{
				"otp-gateway": 0.28, "register-gateway": 0.15, "otp": 0.21, "email": 0.36, "student": 0.17, "enroll": 0.07,
				"rabbitmq": 0.64, "redis": 0.22, "mariadb": 0.28,
			},
		},
		ByPages: {
			Mails: 2, Calls: 3, Casts: 4, Events: 3, Commits: 3, Redis: 66,
			CPU: map[string]float64{
				"ui": 1.17, "otp-gateway": 0.38, "register-gateway": 0.20, "otp": 0.30, "email": 0.42, "student": 0.24, "enroll": 0.11,
				"rabbitmq": 1.02, "redis": 0.34, "mariadb": 0.37,
			},
		},
	}
}

// Costs are those of a way to register, ByPages or ByREST.
func Costs(way string) Cost { return costs()[way] }

// Programs are those that use processors, in the order of the report.
func Programs() []string {
	return []string{"ui", "otp-gateway", "register-gateway", "otp", "email", "student", "enroll", "rabbitmq", "redis", "mariadb"}
}

// firstPage is the processor time in milliseconds of the first page, or of one
// that asks to come later, without TLS: the bench's row page, 50 connections.
const firstPage = 0.06
