-- SPDX-License-Identifier: Apache-2.0
-- Which machines to look at first?
SELECT file, release, crashKernel.answer AS crash_kernel, findings.errors AS errors,
       findings.warnings AS warnings, faults, panic
FROM dumps
WHERE failure IS NULL
ORDER BY CASE crashKernel.answer WHEN 'no' THEN 0 WHEN 'doubtful' THEN 1 ELSE 2 END,
         errors DESC, faults DESC NULLS LAST, warnings DESC, file
LIMIT 50;
