package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/smtp"
	"sync"

	_ "github.com/go-sql-driver/mysql" // the driver of both databases
	amqp "github.com/rabbitmq/amqp091-go"
)

// workers is how many messages a process works on at a time, as Nameko has it.
const workers = 10

// registration is what travels in every message; the ID is 0 until there is one.
type registration struct {
	Firstname string `json:"firstname"`
	Lastname  string `json:"lastname"`
	Email     string `json:"email"`
	StudentID int64  `json:"studentID"`
}

type handle func(ctx context.Context, r registration) (id int64, err error)

// handler returns what the worker role does.
func handler(ctx context.Context, role, where string) (handle, error) {
	switch role {
	case "email":
		return func(_ context.Context, r registration) (int64, error) { return r.StudentID, sendMail(where, r) }, nil
	case "student":
		return insertInto(ctx, where,
			`CREATE TABLE IF NOT EXISTS students (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(254), firstname VARCHAR(100), lastname VARCHAR(100))`,
			`INSERT INTO students (email, firstname, lastname) VALUES (?, ?, ?)`,
			func(r registration) []any { return []any{r.Email, r.Firstname, r.Lastname} })
	case "enroll":
		return insertInto(ctx, where,
			`CREATE TABLE IF NOT EXISTS enrolments (id BIGINT AUTO_INCREMENT PRIMARY KEY, student_id BIGINT)`,
			`INSERT INTO enrolments (student_id) VALUES (?)`,
			func(r registration) []any { return []any{r.StudentID} })
	}
	return nil, errUsage
}

// insertInto returns a handle that inserts one row.
func insertInto(ctx context.Context, dsn, create, insert string, args func(registration) []any) (handle, error) {
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	if _, err := db.ExecContext(ctx, create); err != nil {
		return nil, fmt.Errorf("make the table: %w", err)
	}
	return func(ctx context.Context, r registration) (int64, error) {
		result, err := db.ExecContext(ctx, insert, args(r)...)
		if err != nil {
			return 0, err
		}
		return result.LastInsertId()
	}, nil
}

func sendMail(server string, r registration) error {
	text := fmt.Sprintf("To: %s\r\nSubject: registered\r\n\r\nYour student ID is %d.\r\n", r.Email, r.StudentID)
	return smtp.SendMail(server, nil, "registration@example.ac.th", []string{r.Email}, []byte(text))
}

// work consumes queue until the connection breaks.
func work(ctx context.Context, conn *amqp.Connection, queue string, do handle) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
		return err
	}
	if err := ch.Qos(workers, 0, false); err != nil {
		return err
	}
	deliveries, err := ch.ConsumeWithContext(ctx, queue, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for d := range deliveries {
				answer(ctx, ch, d, do)
			}
		})
	}
	working.Wait()
	return errors.New("the connection broke")
}

// answer does the work, replies to whoever waits, and acknowledges last. What
// cannot be sent now is sent again by the broker, which has no ack.
func answer(ctx context.Context, ch *amqp.Channel, d amqp.Delivery, do handle) {
	var r registration
	err := json.Unmarshal(d.Body, &r)
	if err == nil {
		r.StudentID, err = do(ctx, r)
	}
	if err == nil && d.ReplyTo != "" {
		body, _ := json.Marshal(r) // three strings and a number
		err = ch.PublishWithContext(ctx, "", d.ReplyTo, false, false, amqp.Publishing{CorrelationId: d.CorrelationId, Body: body})
	}
	_ = err // as in the published system, an exception ends the message
	_ = d.Ack(false)
}
