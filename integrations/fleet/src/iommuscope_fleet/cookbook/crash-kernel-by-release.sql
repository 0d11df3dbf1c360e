-- SPDX-License-Identifier: Apache-2.0
-- With which kernels does the crash kernel get through?
SELECT release, count(*) AS dumps,
       count(*) FILTER (crashKernel.answer = 'probably') AS probably,
       count(*) FILTER (crashKernel.answer = 'doubtful') AS doubtful,
       count(*) FILTER (crashKernel.answer = 'no') AS "no"
FROM dumps
WHERE crashKernel IS NOT NULL
GROUP BY release
ORDER BY "no" DESC, doubtful DESC, release;
