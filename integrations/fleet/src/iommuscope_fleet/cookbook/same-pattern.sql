-- SPDX-License-Identifier: Apache-2.0
-- Which crashes come again and again?
SELECT pattern, count(DISTINCT coalesce(crash, file)) AS crashes, count(DISTINCT release) AS releases,
       min(make_timestamp(crashTime * 1000000)) AS first,
       max(make_timestamp(crashTime * 1000000)) AS last
FROM dumps
WHERE pattern IS NOT NULL
GROUP BY pattern
HAVING crashes > 1
ORDER BY crashes DESC, pattern;
