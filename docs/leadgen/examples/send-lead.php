<?php
/*
 * Send one lead: php send-lead.php [IDEMPOTENCY_KEY] <lead.json
 *
 * LEAD_URL       https://<edge>/api/lead/intake
 * LEAD_KEY_FILE  a file with the API key, readable only by its owner and PHP
 * LEAD_CA_FILE   the edge's CA, if this machine does not already trust it
 *
 * Prints the intake_id and exits with 0, or prints why it failed and exits with 1. Needs PHP 8 with curl; on Debian: php-cli
 * php-curl. From WordPress: require this file and call send_lead(), in the background (see ../README.md).
 */
declare(strict_types=1);

const LEAD_TRIES = 5;
const LEAD_TRY_SECONDS = 10;
const LEAD_TOTAL_SECONDS = 60;

// No address, no connection, no response in time, or one cut off: a later try may succeed.
const LEAD_PASSING_ERRORS = [6, 7, 16, 18, 28, 35, 52, 55, 56, 92];

/** The lead was not stored, or may not have been: why, and what to do. */
class LeadNotAccepted extends RuntimeException
{
}

/** Returns the intake_id of the lead, a JSON document. Throws LeadNotAccepted within a minute. */
function send_lead(
    string $url,
    #[SensitiveParameter] string $apiKey,
    string $lead,
    string $key,
    ?string $caFile = null,
): string {
    if (!str_starts_with($url, 'https://') && !str_starts_with($url, 'http://127.0.0.1:')) {
        throw new LeadNotAccepted(
            'LEAD_URL: not an https URL, so the API key would be sent unencrypted; correct it'
        );
    }
    if (!preg_match('/^[!-~]+$/D', $apiKey)) {
        throw new LeadNotAccepted(
            'LEAD_KEY_FILE: not one line of visible ASCII; put one API key, and nothing else, into it'
        );
    }
    if (!preg_match('/^[!-~]+$/D', $key)) {
        throw new LeadNotAccepted(
            'IDEMPOTENCY_KEY: not one word of visible ASCII; leave it out to send a new lead'
        );
    }
    $lead = lead_without_bom($lead);
    $started = microtime(true);
    for ($try = 1; ; $try++) {
        [$status, $retryAfter, $answer, $error] = lead_post($url, $apiKey, $lead, $key, $caFile);
        if ($status === 202) {
            return lead_intake_id($answer, $key);
        }
        $why = $error ?? lead_explain($status, $answer);
        // A 409 without Retry-After: the key belongs to another lead.
        if ($status !== 0 && $status !== 429 && $status < 500 && !($status === 409 && $retryAfter !== '')) {
            throw new LeadNotAccepted($why);
        }
        $wait = ctype_digit($retryAfter) ? (int) $retryAfter : 2 ** $try;
        $left = LEAD_TOTAL_SECONDS - (microtime(true) - $started);
        if ($try === LEAD_TRIES || $wait + LEAD_TRY_SECONDS > $left) {
            throw new LeadNotAccepted("$why; send the same lead again later, with the same key: $key");
        }
        error_log("send_lead: $why; again in $wait s");
        sleep($wait);
    }
}

/** Returns the text without the mark that some editors put before UTF-8. */
function lead_without_bom(#[SensitiveParameter] string $text): string
{
    return str_starts_with($text, "\xEF\xBB\xBF") ? substr($text, 3) : $text;
}

/** Returns the response's status, its Retry-After and its body; or 0, and the error as the fourth value. */
function lead_post(
    string $url,
    #[SensitiveParameter] string $apiKey,
    string $lead,
    string $key,
    ?string $caFile,
): array {
    $retryAfter = '';
    $options = [
        CURLOPT_POSTFIELDS => $lead,
        CURLOPT_HTTPHEADER => [
            "X-API-Key: $apiKey",
            'Content-Type: application/json',
            "Idempotency-Key: $key",
            'X-Lead-Source: motorcade.vip',
            'Prefer: handling=strict',
        ],
        CURLOPT_TIMEOUT => LEAD_TRY_SECONDS,
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$retryAfter): int {
            if (stripos($line, 'Retry-After:') === 0) {
                $retryAfter = trim(substr($line, strlen('Retry-After:')));
            }
            return strlen($line);
        },
    ];
    $curl = curl_init($url);
    curl_setopt_array($curl, $caFile ? $options + [CURLOPT_CAINFO => $caFile] : $options);
    $answer = curl_exec($curl);
    if ($answer !== false) {
        return [curl_getinfo($curl, CURLINFO_RESPONSE_CODE), $retryAfter, $answer, null];
    }
    if (!in_array(curl_errno($curl), LEAD_PASSING_ERRORS, true)) {
        throw new LeadNotAccepted(curl_error($curl));
    }
    return [0, '', '', curl_error($curl)];
}

/** Returns the intake_id of a 202. Throws LeadNotAccepted if it has none. */
function lead_intake_id(string $answer, string $key): string
{
    $accepted = json_decode($answer, true);
    if (!is_array($accepted) || !is_string($accepted['intake_id'] ?? null)) {
        throw new LeadNotAccepted(
            'HTTP 202 without an intake_id, so it is not from the intake; correct LEAD_URL and'
            . " send the same lead again, with the same key: $key"
        );
    }
    return $accepted['intake_id'];
}

/** Returns the text of a problem document: its detail, and each error with its pointer. */
function lead_explain(int $status, string $answer): string
{
    $problem = json_decode($answer, true);
    if (!is_array($problem) || !is_string($problem['detail'] ?? null) || !is_array($problem['errors'] ?? [])) {
        return "HTTP $status"; // not from the intake, but from something in front of it
    }
    $why = "HTTP $status " . $problem['detail'];
    foreach ($problem['errors'] ?? [] as $fault) {
        if (is_string($fault['pointer'] ?? null) && is_string($fault['detail'] ?? null)) {
            $why .= "\n  {$fault['pointer']}: {$fault['detail']}";
        }
    }
    return $why;
}

if (PHP_SAPI === 'cli' && realpath($_SERVER['SCRIPT_FILENAME']) === __FILE__) {
    try {
        $keyFile = (string) getenv('LEAD_KEY_FILE');
        if (!is_readable($keyFile)) {
            throw new LeadNotAccepted(
                'LEAD_KEY_FILE: does not name a readable file; put the API key into one'
            );
        }
        echo send_lead(
            (string) getenv('LEAD_URL'),
            trim(lead_without_bom(file_get_contents($keyFile))),
            stream_get_contents(STDIN),
            $argv[1] ?? bin2hex(random_bytes(16)), // one for this lead, the same in every try
            getenv('LEAD_CA_FILE') ?: null,
        ), "\n";
    } catch (LeadNotAccepted $error) {
        fwrite(STDERR, "send_lead: {$error->getMessage()}\n");
        exit(1);
    }
}
