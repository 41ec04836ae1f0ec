package student_test

import (
	"log/slog"
	"strings"
	"testing"

	"matriq/pkg/service"
	"matriq/services/student"
)

func TestReadConfig_ReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := student.ReadConfig(service.NewEnv("student", map[string]string{
		"STUDENT_ID_FIRST": "0", "OUTBOX_RESEND": "1ms", "IDEMPOTENCY_KEY_LIFE": "-1h", "OUTBOX_KEEP": "x",
	}, slog.New(slog.DiscardHandler)))
	if err == nil {
		t.Fatal("no error")
	}
	for _, setting := range []string{"AMQP_URL", "MYSQL_DSN", "STUDENT_ID_FIRST", "OUTBOX_RESEND", "IDEMPOTENCY_KEY_LIFE", "OUTBOX_KEEP"} {
		if !strings.Contains(err.Error(), setting) {
			t.Errorf("%s is not named in %v", setting, err)
		}
	}
}

func TestReadConfig_Defaults(t *testing.T) {
	t.Parallel()
	cfg, err := student.ReadConfig(service.NewEnv("student", map[string]string{
		"AMQP_URL": "amqp://localhost", "MYSQL_DSN": "u:p@tcp(localhost:3306)/x",
	}, slog.New(slog.DiscardHandler)))
	if err != nil || cfg.FirstID != 69000001 {
		t.Errorf("first ID %d, %v", cfg.FirstID, err)
	}
}
