-- Posts of one document, each with its own Idempotency-Key. Arguments: the keys' prefix, the API key, the document.
local head, tail, prefix
local number = 0

function init(args)
    local place = "THE-KEY-GOES-HERE"
    prefix = args[1]
    wrk.method = "POST"
    wrk.body = args[3]
    wrk.headers["Authorization"] = "Bearer " .. args[2]
    wrk.headers["Content-Type"] = "application/json"
    wrk.headers["Idempotency-Key"] = place
    local text = wrk.format()
    local first, last = text:find(place, 1, true)
    head, tail = text:sub(1, first - 1) .. prefix, text:sub(last + 1)
end

function request()
    number = number + 1
    return head .. number .. tail
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"answered": %d, "microseconds": %d, "refused": %d, "broken": %d, "p50": %d, "p99": %d}\n',
        summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50), latency:percentile(99)
    ))
end
