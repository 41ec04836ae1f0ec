package rest

import "net/http"

// Reasons of problems. Those that only a worker gives are in its contract; they
// are here for their titles and for the description.
const (
	BadJSON              = "bad_json"
	DuplicateKey         = "duplicate_key"
	UnknownField         = "unknown_field"
	MissingField         = "missing_field"
	WrongType            = "wrong_type"
	BadIdempotencyKey    = "bad_idempotency_key"
	NoEmailColumn        = "no_email_column"
	TooManyRejected      = "too_many_rejected"
	BodyTooLarge         = "body_too_large"
	BodyIncomplete       = "body_incomplete"
	RequestTimeout       = "request_timeout"
	UnsupportedMediaType = "unsupported_media_type"
	Unauthenticated      = "unauthenticated"
	MissingScope         = "missing_scope"
	NotVerified          = "not_verified"
	NotFound             = "not_found"
	NoSuchStudent        = "no_such_student"
	MethodNotAllowed     = "method_not_allowed"
	Misdirected          = "misdirected"
	Unavailable          = "unavailable"
	Internal             = "internal"

	BadEmail     = "bad_email"
	BadOTP       = "bad_otp"
	BadFirstname = "bad_firstname"
	BadLastname  = "bad_lastname"

	ResendTooSoon = "resend_too_soon"
	AddressLimit  = "address_limit"
	AddressLocked = "address_locked"
	SourceLimit   = "source_limit"

	IdempotencyKeyReused   = "idempotency_key_reused"
	IdempotencyKeyInFlight = "idempotency_key_in_flight"
)

// kind is what all problems of one reason share.
type kind struct {
	status int
	title  string
}

// kindOf returns the kind of a reason; ok is false for one that is not in the
// list.
func kindOf(reason string) (k kind, ok bool) {
	k, ok = kinds[reason]
	return k, ok
}

var kinds = map[string]kind{
	BadJSON:           {http.StatusBadRequest, "The body is not JSON"},
	DuplicateKey:      {http.StatusBadRequest, "A key is given twice"},
	BodyIncomplete:    {http.StatusBadRequest, "The body broke off"},
	BadIdempotencyKey: {http.StatusBadRequest, "The Idempotency-Key is malformed"},

	UnknownField:    {http.StatusUnprocessableEntity, "A key is not known"},
	MissingField:    {http.StatusUnprocessableEntity, "A key is missing"},
	WrongType:       {http.StatusUnprocessableEntity, "A value has the wrong type"},
	NoEmailColumn:   {http.StatusUnprocessableEntity, "The column of addresses was not found"},
	TooManyRejected: {http.StatusUnprocessableEntity, "Too many rows are no addresses"},
	BadEmail:        {http.StatusUnprocessableEntity, "The e-mail address is malformed"},
	BadOTP:          {http.StatusUnprocessableEntity, "The code is malformed"},
	BadFirstname:    {http.StatusUnprocessableEntity, "The first name is malformed"},
	BadLastname:     {http.StatusUnprocessableEntity, "The last name is malformed"},

	BodyTooLarge:         {http.StatusRequestEntityTooLarge, "The body is too large"},
	RequestTimeout:       {http.StatusRequestTimeout, "The body did not arrive in time"},
	UnsupportedMediaType: {http.StatusUnsupportedMediaType, "The body's type is not supported"},

	Unauthenticated:  {http.StatusUnauthorized, "No valid credential"},
	MissingScope:     {http.StatusForbidden, "The client may not do this"},
	NotVerified:      {http.StatusForbidden, "The address has not proved itself"},
	NotFound:         {http.StatusNotFound, "There is nothing here"},
	NoSuchStudent:    {http.StatusNotFound, "There is no such student"},
	MethodNotAllowed: {http.StatusMethodNotAllowed, "The method is not allowed here"},
	Misdirected:      {http.StatusMisdirectedRequest, "This host is not served here"},

	ResendTooSoon: {http.StatusTooManyRequests, "The next code can be had later"},
	AddressLimit:  {http.StatusTooManyRequests, "Too many codes for this address"},
	AddressLocked: {http.StatusTooManyRequests, "Too many wrong codes for this address"},
	SourceLimit:   {http.StatusTooManyRequests, "Too many requests from this source"},

	IdempotencyKeyReused:   {http.StatusUnprocessableEntity, "The Idempotency-Key belongs to another request"},
	IdempotencyKeyInFlight: {http.StatusConflict, "The first request with this Idempotency-Key is under way"},

	Unavailable: {http.StatusServiceUnavailable, "Not available at the moment"},
	Internal:    {http.StatusInternalServerError, "Something went wrong"},
}
