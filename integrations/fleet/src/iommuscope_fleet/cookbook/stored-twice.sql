-- SPDX-License-Identifier: Apache-2.0
-- Which crashes are stored more than once, and what does that cost?
SELECT crash, count(*) AS files, sum(bytes) - max(bytes) AS bytes_to_spare, list(file ORDER BY file) AS names
FROM dumps
WHERE crash IS NOT NULL
GROUP BY crash
HAVING files > 1
ORDER BY bytes_to_spare DESC, crash;
