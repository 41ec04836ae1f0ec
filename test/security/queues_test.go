package security_test

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// codeQueues are those in which a mail with a code waits for its attempts.
func codeQueues() []string {
	return []string{
		"email_otp.work.v1", "email_otp.retry.v1.1s", "email_otp.retry.v1.5s",
		"email_otp.retry.v1.30s", "email_otp.retry.v1.2m", "email_otp.retry.v1.10m",
	}
}

// waiting returns how many messages are in the queues and not given out.
func (s *system) waiting(t *testing.T, queues []string) int {
	t.Helper()
	conn, err := amqp.Dial(s.AMQPURL)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, name := range queues {
		q, err := channel.QueueDeclarePassive(name, true, false, false, false, nil)
		if err != nil {
			t.Fatalf("look at %s: %v", name, err)
		}
		sum += q.Messages
	}
	return sum
}
