-- SPDX-License-Identifier: Apache-2.0
-- Whose transfers were in flight when kernels crashed?
SELECT held.driver AS driver, count(*) AS dumps, sum(held.devices) AS devices,
       sum(held.mappedBytes) AS mapped_bytes, count(*) FILTER (held.hasErrors) AS dumps_with_errors
FROM (SELECT unnest(drivers) AS held FROM dumps)
WHERE held.leaves > 0
GROUP BY ALL
ORDER BY mapped_bytes DESC, driver;
