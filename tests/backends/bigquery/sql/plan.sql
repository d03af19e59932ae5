SELECT
  *
FROM `metaxy__commits` AS `t0`
WHERE
  `t0`.`feature` IN ('copy', 'parts', 'teams', 'video');

WITH `t9` AS (
  SELECT
    `t2`.`id`,
    `t2`.`etag`,
    `t2`.`size`,
    `t2`.`metaxy_provenance__audio`,
    `t2`.`metaxy_data_version__audio`,
    `t2`.`metaxy_commit`,
    `t2`.`metaxy_deleted`,
    `t8`.`id` AS `id__metaxy_newest`,
    `t8`.`metaxy_newest`
  FROM `video` AS `t2`
  LEFT OUTER JOIN (
    SELECT
      `t6`.`id`,
      MAX(`t6`.`metaxy_commit`) AS `metaxy_newest`
    FROM (
      SELECT
        `t2`.`id`,
        `t2`.`etag`,
        `t2`.`size`,
        `t2`.`metaxy_provenance__audio`,
        `t2`.`metaxy_data_version__audio`,
        `t2`.`metaxy_commit`,
        `t2`.`metaxy_deleted`
      FROM `video` AS `t2`
      WHERE
        EXISTS(
          SELECT
            1
          FROM (
            SELECT
              `t0`.`metaxy_commit`
            FROM `metaxy__commits` AS `t0`
            WHERE
              `t0`.`feature` = 'video' AND `t0`.`superseded` > 0
          ) AS `t5`
          WHERE
            `t2`.`metaxy_commit` = `t5`.`metaxy_commit`
        )
    ) AS `t6`
    GROUP BY
      1
  ) AS `t8`
    ON `t2`.`id` = `t8`.`id`
)
SELECT
  COALESCE(`t18`.`id`, `t18`.`id__metaxy_stored_id`) AS `id`,
  `t18`.`etag__stored` AS `etag`,
  `t18`.`size__stored` AS `size`,
  COALESCE(`t18`.`metaxy_provenance__audio`, `t18`.`metaxy_provenance__audio__stored`) AS `metaxy_provenance__audio`,
  IF(
    `t18`.`metaxy_status` IN (0, 1)
    AND NOT (
      `t18`.`metaxy_provenance__audio` IS NOT DISTINCT FROM `t18`.`metaxy_provenance__audio__stored`
    ),
    CAST(NULL AS INT64),
    `t18`.`metaxy_data_version__audio__stored`
  ) AS `metaxy_data_version__audio`,
  `t18`.`metaxy_status` IN (0, 1)
  AND NOT (
    `t18`.`metaxy_provenance__audio` IS NOT DISTINCT FROM `t18`.`metaxy_provenance__audio__stored`
  ) AS `metaxy_changed__audio`,
  `t18`.`metaxy_status` IN (0, 1) OR COALESCE(`t18`.`metaxy_moved`, FALSE) AS `metaxy_moved`,
  `t18`.`metaxy_status`
FROM (
  SELECT
    `t17`.`id`,
    `t17`.`metaxy_provenance__audio`,
    `t17`.`metaxy_ready`,
    `t17`.`metaxy_moved`,
    `t17`.`id__metaxy_stored_id`,
    `t17`.`etag__stored`,
    `t17`.`size__stored`,
    `t17`.`metaxy_provenance__audio__stored`,
    `t17`.`metaxy_data_version__audio__stored`,
    `t17`.`metaxy_commit__stored`,
    `t17`.`metaxy_deleted__stored`,
    `t17`.`metaxy_stored`,
    CASE
      WHEN `t17`.`metaxy_ready` IS NULL
      THEN 2
      WHEN `t17`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t17`.`metaxy_provenance__audio` IS NOT DISTINCT FROM `t17`.`metaxy_provenance__audio__stored`
      )
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t16`.`id`,
      `t16`.`metaxy_provenance__audio`,
      `t16`.`metaxy_ready`,
      `t16`.`metaxy_moved`,
      `t13`.`id` AS `id__metaxy_stored_id`,
      `t13`.`etag__stored`,
      `t13`.`size__stored`,
      `t13`.`metaxy_provenance__audio__stored`,
      `t13`.`metaxy_data_version__audio__stored`,
      `t13`.`metaxy_commit__stored`,
      `t13`.`metaxy_deleted__stored`,
      `t13`.`metaxy_stored`
    FROM (
      SELECT
        `t14`.`id`,
        `t14`.`metaxy_provenance__audio`,
        `t14`.`metaxy_ready`,
        FALSE AS `metaxy_moved`
      FROM (
        SELECT
          `t12`.`id`,
          IF(
            `t12`.`metaxy_commit` IN (
              SELECT
                `t0`.`metaxy_commit`
              FROM `metaxy__commits` AS `t0`
              WHERE
                `t0`.`feature` = 'video' AND `t0`.`feature_version` IN ('681b1d1588fb9d5c')
            ),
            CAST(REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REPLACE(
                        REPLACE(
                          REPLACE(
                            REGEXP_REPLACE(
                              TO_HEX(
                                MD5(
                                  CONCAT('planned|', COALESCE(CAST(`t12`.`metaxy_provenance__audio` AS STRING), '?'))
                                )
                              ),
                              '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                              '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                            ),
                            '0x8',
                            '0x0'
                          ),
                          '0x9',
                          '0x1'
                        ),
                        '0xa',
                        '0x2'
                      ),
                      '0xb',
                      '0x3'
                    ),
                    '0xc',
                    '0x4'
                  ),
                  '0xd',
                  '0x5'
                ),
                '0xe',
                '0x6'
              ),
              '0xf',
              '0x7'
            ) AS INT64),
            `t12`.`metaxy_provenance__audio`
          ) AS `metaxy_provenance__audio`,
          TRUE AS `metaxy_ready`
        FROM (
          SELECT
            `t10`.`id`,
            `t10`.`etag`,
            `t10`.`size`,
            `t10`.`metaxy_provenance__audio`,
            `t10`.`metaxy_data_version__audio`,
            `t10`.`metaxy_commit`,
            `t10`.`metaxy_deleted`
          FROM `t9` AS `t10`
          WHERE
            (
              (
                `t10`.`metaxy_newest` IS NULL
              )
              OR (
                `t10`.`metaxy_newest` = `t10`.`metaxy_commit`
              )
            )
            AND NOT (
              `t10`.`metaxy_deleted`
            )
        ) AS `t12`
      ) AS `t14`
    ) AS `t16`
    FULL OUTER JOIN (
      SELECT
        `t10`.`id`,
        `t10`.`etag` AS `etag__stored`,
        `t10`.`size` AS `size__stored`,
        `t10`.`metaxy_provenance__audio` AS `metaxy_provenance__audio__stored`,
        `t10`.`metaxy_data_version__audio` AS `metaxy_data_version__audio__stored`,
        `t10`.`metaxy_commit` AS `metaxy_commit__stored`,
        `t10`.`metaxy_deleted` AS `metaxy_deleted__stored`,
        TRUE AS `metaxy_stored`
      FROM `t9` AS `t10`
      WHERE
        (
          (
            `t10`.`metaxy_newest` IS NULL
          )
          OR (
            `t10`.`metaxy_newest` = `t10`.`metaxy_commit`
          )
        )
        AND NOT (
          `t10`.`metaxy_deleted`
        )
    ) AS `t13`
      ON `t16`.`id` = `t13`.`id`
  ) AS `t17`
) AS `t18`;

SELECT
  `t4`.`records`,
  `t4`.`new`,
  `t4`.`stale`,
  `t4`.`spared_by_fields`,
  `t4`.`metaxy_changed__audio`,
  `t3`.`orphaned`
FROM (
  SELECT
    SUM(CAST(`t0`.`metaxy_status` <> 2 AS INT64)) AS `records`,
    SUM(CAST(`t0`.`metaxy_status` = 0 AS INT64)) AS `new`,
    SUM(CAST(`t0`.`metaxy_status` = 1 AS INT64)) AS `stale`,
    SUM(CAST((
      `t0`.`metaxy_status` = 4
    ) AND `t0`.`metaxy_moved` AS INT64)) AS `spared_by_fields`,
    SUM(CAST(`t0`.`metaxy_changed__audio` AS INT64)) AS `metaxy_changed__audio`
  FROM `metaxy_kept_1` AS `t0`
) AS `t4`
CROSS JOIN (
  SELECT
    SUM(CAST(`t0`.`metaxy_status` = 2 AS INT64)) AS `orphaned`
  FROM `metaxy_kept_1` AS `t0`
) AS `t3`;

SELECT
  COALESCE(`t22`.`id`, `t22`.`id__metaxy_stored_id`) AS `id`,
  `t22`.`etag__stored` AS `etag`,
  `t22`.`size__stored` AS `size`,
  COALESCE(`t22`.`metaxy_provenance__default`, `t22`.`metaxy_provenance__default__stored`) AS `metaxy_provenance__default`,
  IF(
    `t22`.`metaxy_status` IN (0, 1)
    AND NOT (
      `t22`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t22`.`metaxy_provenance__default__stored`
    ),
    CAST(NULL AS INT64),
    `t22`.`metaxy_data_version__default__stored`
  ) AS `metaxy_data_version__default`,
  `t22`.`metaxy_status` IN (0, 1)
  AND NOT (
    `t22`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t22`.`metaxy_provenance__default__stored`
  ) AS `metaxy_changed__default`,
  `t22`.`metaxy_status` IN (0, 1) OR COALESCE(`t22`.`metaxy_moved`, FALSE) AS `metaxy_moved`,
  `t22`.`metaxy_status`
FROM (
  SELECT
    `t21`.`id`,
    `t21`.`metaxy_provenance__default`,
    `t21`.`metaxy_ready`,
    `t21`.`metaxy_moved__0`,
    `t21`.`metaxy_moved`,
    `t21`.`id__metaxy_stored_id`,
    `t21`.`etag__stored`,
    `t21`.`size__stored`,
    `t21`.`metaxy_provenance__default__stored`,
    `t21`.`metaxy_data_version__default__stored`,
    `t21`.`metaxy_commit__stored`,
    `t21`.`metaxy_deleted__stored`,
    `t21`.`metaxy_stored`,
    CASE
      WHEN `t21`.`metaxy_ready` IS NULL
      THEN 2
      WHEN `t21`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t21`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t21`.`metaxy_provenance__default__stored`
      )
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t18`.`id`,
      `t18`.`metaxy_provenance__default`,
      `t18`.`metaxy_ready`,
      `t18`.`metaxy_moved__0`,
      `t18`.`metaxy_moved`,
      `t20`.`id` AS `id__metaxy_stored_id`,
      `t20`.`etag__stored`,
      `t20`.`size__stored`,
      `t20`.`metaxy_provenance__default__stored`,
      `t20`.`metaxy_data_version__default__stored`,
      `t20`.`metaxy_commit__stored`,
      `t20`.`metaxy_deleted__stored`,
      `t20`.`metaxy_stored`
    FROM (
      SELECT
        `t15`.`id`,
        `t15`.`metaxy_provenance__default`,
        `t15`.`metaxy_ready`,
        `t15`.`metaxy_moved__0`,
        FALSE OR (
          NOT `t15`.`metaxy_moved__0` IS NULL
        ) AS `metaxy_moved`
      FROM (
        SELECT
          `t12`.`id`,
          `t12`.`metaxy_provenance__default`,
          `t12`.`metaxy_ready`,
          `t9`.`metaxy_moved__0`
        FROM (
          SELECT
            `t5`.`id`,
            CAST(REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REPLACE(
                        REPLACE(
                          REPLACE(
                            REGEXP_REPLACE(
                              TO_HEX(
                                MD5(
                                  CONCAT(
                                    'v1|default|1|video|audio|',
                                    COALESCE(CAST(`t5`.`metaxy_read__5__video__audio` AS STRING), '?')
                                  )
                                )
                              ),
                              '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                              '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                            ),
                            '0x8',
                            '0x0'
                          ),
                          '0x9',
                          '0x1'
                        ),
                        '0xa',
                        '0x2'
                      ),
                      '0xb',
                      '0x3'
                    ),
                    '0xc',
                    '0x4'
                  ),
                  '0xd',
                  '0x5'
                ),
                '0xe',
                '0x6'
              ),
              '0xf',
              '0x7'
            ) AS INT64) AS `metaxy_provenance__default`,
            `t5`.`metaxy_ready__video` AS `metaxy_ready`
          FROM (
            SELECT
              `t1`.`id`,
              COALESCE(`t1`.`metaxy_data_version__audio`, `t1`.`metaxy_provenance__audio`) AS `metaxy_read__5__video__audio`,
              TRUE AS `metaxy_present__video`,
              TRUE AS `metaxy_ready__video`
            FROM `metaxy_kept_1` AS `t1`
          ) AS `t5`
        ) AS `t12`
        LEFT OUTER JOIN (
          SELECT
            `t4`.`id`,
            TRUE AS `metaxy_moved__0`
          FROM (
            SELECT DISTINCT
              `t1`.`id`
            FROM `metaxy_kept_1` AS `t1`
            WHERE
              `t1`.`metaxy_moved`
          ) AS `t4`
        ) AS `t9`
          ON `t12`.`id` = `t9`.`id`
      ) AS `t15`
    ) AS `t18`
    FULL OUTER JOIN (
      SELECT
        `t16`.`id`,
        `t16`.`etag` AS `etag__stored`,
        `t16`.`size` AS `size__stored`,
        `t16`.`metaxy_provenance__default` AS `metaxy_provenance__default__stored`,
        `t16`.`metaxy_data_version__default` AS `metaxy_data_version__default__stored`,
        `t16`.`metaxy_commit` AS `metaxy_commit__stored`,
        `t16`.`metaxy_deleted` AS `metaxy_deleted__stored`,
        TRUE AS `metaxy_stored`
      FROM (
        SELECT
          `t3`.`id`,
          `t3`.`etag`,
          `t3`.`size`,
          `t3`.`metaxy_provenance__default`,
          `t3`.`metaxy_data_version__default`,
          `t3`.`metaxy_commit`,
          `t3`.`metaxy_deleted`,
          `t14`.`id` AS `id__metaxy_newest`,
          `t14`.`metaxy_newest`
        FROM `copy` AS `t3`
        LEFT OUTER JOIN (
          SELECT
            `t10`.`id`,
            MAX(`t10`.`metaxy_commit`) AS `metaxy_newest`
          FROM (
            SELECT
              `t3`.`id`,
              `t3`.`etag`,
              `t3`.`size`,
              `t3`.`metaxy_provenance__default`,
              `t3`.`metaxy_data_version__default`,
              `t3`.`metaxy_commit`,
              `t3`.`metaxy_deleted`
            FROM `copy` AS `t3`
            WHERE
              EXISTS(
                SELECT
                  1
                FROM (
                  SELECT
                    `t2`.`metaxy_commit`
                  FROM `metaxy__commits` AS `t2`
                  WHERE
                    `t2`.`feature` = 'copy' AND `t2`.`superseded` > 0
                ) AS `t8`
                WHERE
                  `t3`.`metaxy_commit` = `t8`.`metaxy_commit`
              )
          ) AS `t10`
          GROUP BY
            1
        ) AS `t14`
          ON `t3`.`id` = `t14`.`id`
      ) AS `t16`
      WHERE
        (
          (
            `t16`.`metaxy_newest` IS NULL
          )
          OR (
            `t16`.`metaxy_newest` = `t16`.`metaxy_commit`
          )
        )
        AND NOT (
          `t16`.`metaxy_deleted`
        )
    ) AS `t20`
      ON `t18`.`id` = `t20`.`id`
  ) AS `t21`
) AS `t22`;

SELECT
  `t4`.`records`,
  `t4`.`new`,
  `t4`.`stale`,
  `t4`.`spared_by_fields`,
  `t4`.`metaxy_changed__default`,
  `t3`.`orphaned`
FROM (
  SELECT
    SUM(CAST(`t0`.`metaxy_status` <> 2 AS INT64)) AS `records`,
    SUM(CAST(`t0`.`metaxy_status` = 0 AS INT64)) AS `new`,
    SUM(CAST(`t0`.`metaxy_status` = 1 AS INT64)) AS `stale`,
    SUM(CAST((
      `t0`.`metaxy_status` = 4
    ) AND `t0`.`metaxy_moved` AS INT64)) AS `spared_by_fields`,
    SUM(CAST(`t0`.`metaxy_changed__default` AS INT64)) AS `metaxy_changed__default`
  FROM `metaxy_kept_3` AS `t0`
) AS `t4`
CROSS JOIN (
  SELECT
    SUM(CAST(`t0`.`metaxy_status` = 2 AS INT64)) AS `orphaned`
  FROM `metaxy_kept_3` AS `t0`
) AS `t3`;

SELECT
  COALESCE(`t25`.`etag`, `t25`.`etag__metaxy_stored_id`) AS `etag`,
  COALESCE(`t25`.`metaxy_provenance__default`, `t25`.`metaxy_provenance__default__stored`) AS `metaxy_provenance__default`,
  IF(
    `t25`.`metaxy_status` IN (0, 1)
    AND NOT (
      `t25`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t25`.`metaxy_provenance__default__stored`
    ),
    CAST(NULL AS INT64),
    `t25`.`metaxy_data_version__default__stored`
  ) AS `metaxy_data_version__default`,
  `t25`.`metaxy_status` IN (0, 1)
  AND NOT (
    `t25`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t25`.`metaxy_provenance__default__stored`
  ) AS `metaxy_changed__default`,
  `t25`.`metaxy_status` IN (0, 1) OR COALESCE(`t25`.`metaxy_moved`, FALSE) AS `metaxy_moved`,
  `t25`.`metaxy_status`
FROM (
  SELECT
    `t24`.`etag`,
    `t24`.`metaxy_provenance__default`,
    `t24`.`metaxy_ready`,
    `t24`.`metaxy_moved__0`,
    `t24`.`metaxy_moved`,
    `t24`.`etag__metaxy_stored_id`,
    `t24`.`metaxy_provenance__default__stored`,
    `t24`.`metaxy_data_version__default__stored`,
    `t24`.`metaxy_commit__stored`,
    `t24`.`metaxy_deleted__stored`,
    `t24`.`metaxy_stored`,
    CASE
      WHEN `t24`.`metaxy_ready` IS NULL
      THEN 2
      WHEN `t24`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t24`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t24`.`metaxy_provenance__default__stored`
      )
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t23`.`etag`,
      `t23`.`metaxy_provenance__default`,
      `t23`.`metaxy_ready`,
      `t23`.`metaxy_moved__0`,
      `t23`.`metaxy_moved`,
      `t17`.`etag` AS `etag__metaxy_stored_id`,
      `t17`.`metaxy_provenance__default__stored`,
      `t17`.`metaxy_data_version__default__stored`,
      `t17`.`metaxy_commit__stored`,
      `t17`.`metaxy_deleted__stored`,
      `t17`.`metaxy_stored`
    FROM (
      SELECT
        `t21`.`etag`,
        `t21`.`metaxy_provenance__default`,
        `t21`.`metaxy_ready`,
        `t21`.`metaxy_moved__0`,
        FALSE OR (
          NOT `t21`.`metaxy_moved__0` IS NULL
        ) AS `metaxy_moved`
      FROM (
        SELECT
          `t20`.`etag`,
          `t20`.`metaxy_provenance__default`,
          `t20`.`metaxy_ready`,
          `t8`.`metaxy_moved__0`
        FROM (
          SELECT
            `t18`.`etag`,
            CAST(REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REPLACE(
                        REPLACE(
                          REPLACE(
                            REGEXP_REPLACE(
                              TO_HEX(
                                MD5(
                                  CONCAT('v1|default|1|video|audio|', COALESCE(`t18`.`metaxy_read__5__video__audio`, '?'))
                                )
                              ),
                              '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                              '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                            ),
                            '0x8',
                            '0x0'
                          ),
                          '0x9',
                          '0x1'
                        ),
                        '0xa',
                        '0x2'
                      ),
                      '0xb',
                      '0x3'
                    ),
                    '0xc',
                    '0x4'
                  ),
                  '0xd',
                  '0x5'
                ),
                '0xe',
                '0x6'
              ),
              '0xf',
              '0x7'
            ) AS INT64) AS `metaxy_provenance__default`,
            `t18`.`metaxy_ready__video` AS `metaxy_ready`
          FROM (
            SELECT
              `t14`.`etag`,
              CONCAT(
                CONCAT(
                  CONCAT(
                    CONCAT(CAST(`t14`.`metaxy_read__5__video__audio__high` AS STRING), ':'),
                    CAST(`t14`.`metaxy_read__5__video__audio__low` AS STRING)
                  ),
                  ':'
                ),
                CAST(`t14`.`metaxy_members` AS STRING)
              ) AS `metaxy_read__5__video__audio`,
              TRUE AS `metaxy_present__video`,
              `t14`.`metaxy_ready__video`
            FROM (
              SELECT
                `t11`.`etag`,
                COUNT(*) AS `metaxy_members`,
                SUM(`t11`.`metaxy_read__5__video__audio` >> 32) AS `metaxy_read__5__video__audio__high`,
                SUM(`t11`.`metaxy_read__5__video__audio` & 4294967295) AS `metaxy_read__5__video__audio__low`,
                LOGICAL_AND(`t11`.`metaxy_ready__video`) AS `metaxy_ready__video`
              FROM (
                SELECT
                  *
                FROM (
                  SELECT
                    `t1`.`etag`,
                    CAST(REPLACE(
                      REPLACE(
                        REPLACE(
                          REPLACE(
                            REPLACE(
                              REPLACE(
                                REPLACE(
                                  REPLACE(
                                    REGEXP_REPLACE(
                                      TO_HEX(
                                        MD5(
                                          CONCAT(
                                            CONCAT(COALESCE(REPLACE(REPLACE(`t1`.`id`, '\\', '\\\\'), '|', '\\|'), '\\N'), '|'),
                                            COALESCE(
                                              CAST(COALESCE(`t1`.`metaxy_data_version__audio`, `t1`.`metaxy_provenance__audio`) AS STRING),
                                              '?'
                                            )
                                          )
                                        )
                                      ),
                                      '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                                      '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                                    ),
                                    '0x8',
                                    '0x0'
                                  ),
                                  '0x9',
                                  '0x1'
                                ),
                                '0xa',
                                '0x2'
                              ),
                              '0xb',
                              '0x3'
                            ),
                            '0xc',
                            '0x4'
                          ),
                          '0xd',
                          '0x5'
                        ),
                        '0xe',
                        '0x6'
                      ),
                      '0xf',
                      '0x7'
                    ) AS INT64) AS `metaxy_read__5__video__audio`,
                    TRUE AS `metaxy_ready__video`
                  FROM `metaxy_kept_1` AS `t1`
                ) AS `t9`
                WHERE
                  NOT `t9`.`etag` IS NULL
              ) AS `t11`
              GROUP BY
                1
            ) AS `t14`
          ) AS `t18`
        ) AS `t20`
        LEFT OUTER JOIN (
          SELECT
            `t4`.`etag`,
            TRUE AS `metaxy_moved__0`
          FROM (
            SELECT DISTINCT
              `t1`.`etag`
            FROM `metaxy_kept_1` AS `t1`
            WHERE
              `t1`.`metaxy_moved`
          ) AS `t4`
        ) AS `t8`
          ON `t20`.`etag` = `t8`.`etag`
      ) AS `t21`
    ) AS `t23`
    FULL OUTER JOIN (
      SELECT
        `t15`.`etag`,
        `t15`.`metaxy_provenance__default` AS `metaxy_provenance__default__stored`,
        `t15`.`metaxy_data_version__default` AS `metaxy_data_version__default__stored`,
        `t15`.`metaxy_commit` AS `metaxy_commit__stored`,
        `t15`.`metaxy_deleted` AS `metaxy_deleted__stored`,
        TRUE AS `metaxy_stored`
      FROM (
        SELECT
          `t3`.`etag`,
          `t3`.`metaxy_provenance__default`,
          `t3`.`metaxy_data_version__default`,
          `t3`.`metaxy_commit`,
          `t3`.`metaxy_deleted`,
          `t13`.`etag` AS `etag__metaxy_newest`,
          `t13`.`metaxy_newest`
        FROM `teams` AS `t3`
        LEFT OUTER JOIN (
          SELECT
            `t10`.`etag`,
            MAX(`t10`.`metaxy_commit`) AS `metaxy_newest`
          FROM (
            SELECT
              `t3`.`etag`,
              `t3`.`metaxy_provenance__default`,
              `t3`.`metaxy_data_version__default`,
              `t3`.`metaxy_commit`,
              `t3`.`metaxy_deleted`
            FROM `teams` AS `t3`
            WHERE
              EXISTS(
                SELECT
                  1
                FROM (
                  SELECT
                    `t2`.`metaxy_commit`
                  FROM `metaxy__commits` AS `t2`
                  WHERE
                    `t2`.`feature` = 'teams' AND `t2`.`superseded` > 0
                ) AS `t7`
                WHERE
                  `t3`.`metaxy_commit` = `t7`.`metaxy_commit`
              )
          ) AS `t10`
          GROUP BY
            1
        ) AS `t13`
          ON `t3`.`etag` = `t13`.`etag`
      ) AS `t15`
      WHERE
        (
          (
            `t15`.`metaxy_newest` IS NULL
          )
          OR (
            `t15`.`metaxy_newest` = `t15`.`metaxy_commit`
          )
        )
        AND NOT (
          `t15`.`metaxy_deleted`
        )
    ) AS `t17`
      ON `t23`.`etag` = `t17`.`etag`
  ) AS `t24`
) AS `t25`;

SELECT
  `t4`.`records`,
  `t4`.`new`,
  `t4`.`stale`,
  `t4`.`spared_by_fields`,
  `t4`.`metaxy_changed__default`,
  `t3`.`orphaned`
FROM (
  SELECT
    SUM(CAST(`t0`.`metaxy_status` <> 2 AS INT64)) AS `records`,
    SUM(CAST(`t0`.`metaxy_status` = 0 AS INT64)) AS `new`,
    SUM(CAST(`t0`.`metaxy_status` = 1 AS INT64)) AS `stale`,
    SUM(CAST((
      `t0`.`metaxy_status` = 4
    ) AND `t0`.`metaxy_moved` AS INT64)) AS `spared_by_fields`,
    SUM(CAST(`t0`.`metaxy_changed__default` AS INT64)) AS `metaxy_changed__default`
  FROM `metaxy_kept_4` AS `t0`
) AS `t4`
CROSS JOIN (
  SELECT
    SUM(CAST(`t0`.`metaxy_status` = 2 AS INT64)) AS `orphaned`
  FROM `metaxy_kept_4` AS `t0`
) AS `t3`;

SELECT
  COALESCE(`t23`.`id`, `t23`.`id__metaxy_stored_id`) AS `id`,
  COALESCE(`t23`.`metaxy_provenance__default`, `t23`.`metaxy_provenance__default__stored`) AS `metaxy_provenance__default`,
  IF(
    `t23`.`metaxy_status` IN (0, 1)
    AND NOT (
      `t23`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t23`.`metaxy_provenance__default__stored`
    ),
    CAST(NULL AS INT64),
    `t23`.`metaxy_data_version__default__stored`
  ) AS `metaxy_data_version__default`,
  `t23`.`metaxy_status` IN (0, 1)
  AND NOT (
    `t23`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t23`.`metaxy_provenance__default__stored`
  ) AS `metaxy_changed__default`,
  `t23`.`metaxy_status` IN (0, 1) OR COALESCE(`t23`.`metaxy_moved`, FALSE) AS `metaxy_moved`,
  `t23`.`metaxy_status`
FROM (
  SELECT
    `t22`.`id`,
    `t22`.`metaxy_provenance__default`,
    `t22`.`metaxy_ready`,
    `t22`.`metaxy_moved__0`,
    `t22`.`metaxy_moved`,
    `t22`.`id__metaxy_stored_id`,
    `t22`.`metaxy_provenance__default__stored`,
    `t22`.`metaxy_commit__stored`,
    `t22`.`metaxy_deleted__stored`,
    `t22`.`metaxy_data_version__default__stored`,
    `t22`.`metaxy_stored`,
    CASE
      WHEN `t22`.`metaxy_ready` IS NULL
      THEN 2
      WHEN `t22`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t22`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t22`.`metaxy_provenance__default__stored`
      )
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t19`.`id`,
      `t19`.`metaxy_provenance__default`,
      `t19`.`metaxy_ready`,
      `t19`.`metaxy_moved__0`,
      `t19`.`metaxy_moved`,
      `t21`.`id` AS `id__metaxy_stored_id`,
      `t21`.`metaxy_provenance__default__stored`,
      `t21`.`metaxy_commit__stored`,
      `t21`.`metaxy_deleted__stored`,
      `t21`.`metaxy_data_version__default__stored`,
      `t21`.`metaxy_stored`
    FROM (
      SELECT
        `t16`.`id`,
        `t16`.`metaxy_provenance__default`,
        `t16`.`metaxy_ready`,
        `t16`.`metaxy_moved__0`,
        FALSE OR (
          NOT `t16`.`metaxy_moved__0` IS NULL
        ) AS `metaxy_moved`
      FROM (
        SELECT
          `t13`.`id`,
          `t13`.`metaxy_provenance__default`,
          `t13`.`metaxy_ready`,
          `t10`.`metaxy_moved__0`
        FROM (
          SELECT
            `t5`.`id`,
            CAST(REPLACE(
              REPLACE(
                REPLACE(
                  REPLACE(
                    REPLACE(
                      REPLACE(
                        REPLACE(
                          REPLACE(
                            REGEXP_REPLACE(
                              TO_HEX(
                                MD5(
                                  CONCAT(
                                    'v1|default|1|video|audio|',
                                    COALESCE(CAST(`t5`.`metaxy_read__5__video__audio` AS STRING), '?')
                                  )
                                )
                              ),
                              '^(..)(..)(..)(..)(..)(..)(..)(..).*$',
                              '0x\\8\\7\\6\\5\\4\\3\\2\\1'
                            ),
                            '0x8',
                            '0x0'
                          ),
                          '0x9',
                          '0x1'
                        ),
                        '0xa',
                        '0x2'
                      ),
                      '0xb',
                      '0x3'
                    ),
                    '0xc',
                    '0x4'
                  ),
                  '0xd',
                  '0x5'
                ),
                '0xe',
                '0x6'
              ),
              '0xf',
              '0x7'
            ) AS INT64) AS `metaxy_provenance__default`,
            `t5`.`metaxy_ready__video` AS `metaxy_ready`
          FROM (
            SELECT
              `t0`.`id`,
              COALESCE(`t0`.`metaxy_data_version__audio`, `t0`.`metaxy_provenance__audio`) AS `metaxy_read__5__video__audio`,
              TRUE AS `metaxy_present__video`,
              TRUE AS `metaxy_ready__video`
            FROM `metaxy_kept_1` AS `t0`
          ) AS `t5`
        ) AS `t13`
        LEFT OUTER JOIN (
          SELECT
            `t3`.`id`,
            TRUE AS `metaxy_moved__0`
          FROM (
            SELECT DISTINCT
              `t0`.`id`
            FROM `metaxy_kept_1` AS `t0`
            WHERE
              `t0`.`metaxy_moved`
          ) AS `t3`
        ) AS `t10`
          ON `t13`.`id` = `t10`.`id`
      ) AS `t16`
    ) AS `t19`
    FULL OUTER JOIN (
      SELECT
        `t17`.`id`,
        `t17`.`metaxy_provenance__default` AS `metaxy_provenance__default__stored`,
        `t17`.`metaxy_commit` AS `metaxy_commit__stored`,
        `t17`.`metaxy_deleted` AS `metaxy_deleted__stored`,
        `t17`.`metaxy_data_version__default` AS `metaxy_data_version__default__stored`,
        TRUE AS `metaxy_stored`
      FROM (
        SELECT
          `t6`.`id`,
          `t6`.`metaxy_provenance__default`,
          `t6`.`metaxy_commit`,
          `t6`.`metaxy_deleted`,
          `t6`.`metaxy_data_version__default`,
          `t15`.`id` AS `id__metaxy_newest`,
          `t15`.`metaxy_newest`
        FROM (
          SELECT
            `t1`.`id`,
            `t1`.`metaxy_provenance__default`,
            `t1`.`metaxy_commit`,
            `t1`.`metaxy_deleted`,
            CAST(NULL AS INT64) AS `metaxy_data_version__default`
          FROM `metaxy__parents__parts` AS `t1`
        ) AS `t6`
        LEFT OUTER JOIN (
          SELECT
            `t11`.`id`,
            MAX(`t11`.`metaxy_commit`) AS `metaxy_newest`
          FROM (
            SELECT
              `t6`.`id`,
              `t6`.`metaxy_provenance__default`,
              `t6`.`metaxy_commit`,
              `t6`.`metaxy_deleted`,
              `t6`.`metaxy_data_version__default`
            FROM (
              SELECT
                `t1`.`id`,
                `t1`.`metaxy_provenance__default`,
                `t1`.`metaxy_commit`,
                `t1`.`metaxy_deleted`,
                CAST(NULL AS INT64) AS `metaxy_data_version__default`
              FROM `metaxy__parents__parts` AS `t1`
            ) AS `t6`
            WHERE
              EXISTS(
                SELECT
                  1
                FROM (
                  SELECT
                    `t2`.`metaxy_commit`
                  FROM `metaxy__commits` AS `t2`
                  WHERE
                    `t2`.`feature` = 'parts' AND `t2`.`superseded` > 0
                ) AS `t9`
                WHERE
                  `t6`.`metaxy_commit` = `t9`.`metaxy_commit`
              )
          ) AS `t11`
          GROUP BY
            1
        ) AS `t15`
          ON `t6`.`id` = `t15`.`id`
      ) AS `t17`
      WHERE
        (
          (
            `t17`.`metaxy_newest` IS NULL
          )
          OR (
            `t17`.`metaxy_newest` = `t17`.`metaxy_commit`
          )
        )
        AND NOT (
          `t17`.`metaxy_deleted`
        )
    ) AS `t21`
      ON `t19`.`id` = `t21`.`id`
  ) AS `t22`
) AS `t23`;

SELECT
  `t13`.`id`,
  `t13`.`number`,
  `t13`.`etag`,
  `t13`.`size`,
  IF(
    COALESCE(`t5`.`metaxy_status__parent` IN (0, 1), FALSE),
    `t5`.`metaxy_provenance__default__parent`,
    `t13`.`metaxy_provenance__default`
  ) AS `metaxy_provenance__default`,
  IF(
    COALESCE(`t5`.`metaxy_status__parent` IN (0, 1), FALSE)
    AND `t5`.`metaxy_changed__default__parent`,
    CAST(NULL AS INT64),
    `t13`.`metaxy_data_version__default`
  ) AS `metaxy_data_version__default`,
  COALESCE(`t5`.`metaxy_moved__parent`, FALSE) AS `metaxy_moved`,
  `t5`.`metaxy_status__parent` AS `metaxy_status`
FROM (
  SELECT
    `t11`.`id`,
    `t11`.`etag`,
    `t11`.`size`,
    `t11`.`number`,
    `t11`.`metaxy_provenance__default`,
    `t11`.`metaxy_data_version__default`,
    `t11`.`metaxy_commit`,
    `t11`.`metaxy_deleted`
  FROM (
    SELECT
      `t3`.`id`,
      `t3`.`etag`,
      `t3`.`size`,
      `t3`.`number`,
      `t3`.`metaxy_provenance__default`,
      `t3`.`metaxy_data_version__default`,
      `t3`.`metaxy_commit`,
      `t3`.`metaxy_deleted`,
      `t10`.`id` AS `id__metaxy_newest`,
      `t10`.`number` AS `number__metaxy_newest`,
      `t10`.`metaxy_newest`
    FROM `parts` AS `t3`
    LEFT OUTER JOIN (
      SELECT
        `t8`.`id`,
        `t8`.`number`,
        MAX(`t8`.`metaxy_commit`) AS `metaxy_newest`
      FROM (
        SELECT
          `t3`.`id`,
          `t3`.`etag`,
          `t3`.`size`,
          `t3`.`number`,
          `t3`.`metaxy_provenance__default`,
          `t3`.`metaxy_data_version__default`,
          `t3`.`metaxy_commit`,
          `t3`.`metaxy_deleted`
        FROM `parts` AS `t3`
        WHERE
          EXISTS(
            SELECT
              1
            FROM (
              SELECT
                `t2`.`metaxy_commit`
              FROM `metaxy__commits` AS `t2`
              WHERE
                `t2`.`feature` = 'parts' AND `t2`.`superseded` > 0
            ) AS `t7`
            WHERE
              `t3`.`metaxy_commit` = `t7`.`metaxy_commit`
          )
      ) AS `t8`
      GROUP BY
        1,
        2
    ) AS `t10`
      ON `t3`.`id` = `t10`.`id` AND `t3`.`number` = `t10`.`number`
  ) AS `t11`
  WHERE
    (
      (
        `t11`.`metaxy_newest` IS NULL
      )
      OR (
        `t11`.`metaxy_newest` = `t11`.`metaxy_commit`
      )
    )
    AND NOT (
      `t11`.`metaxy_deleted`
    )
) AS `t13`
LEFT OUTER JOIN (
  SELECT
    `t0`.`id`,
    `t0`.`metaxy_provenance__default` AS `metaxy_provenance__default__parent`,
    `t0`.`metaxy_changed__default` AS `metaxy_changed__default__parent`,
    `t0`.`metaxy_moved` AS `metaxy_moved__parent`,
    `t0`.`metaxy_status` AS `metaxy_status__parent`
  FROM `metaxy_kept_5` AS `t0`
) AS `t5`
  ON `t13`.`id` = `t5`.`id`;

SELECT
  `t5`.`records`,
  `t5`.`new`,
  `t5`.`stale`,
  `t5`.`spared_by_fields`,
  `t5`.`metaxy_changed__default`,
  `t4`.`orphaned`
FROM (
  SELECT
    SUM(CAST(`t0`.`metaxy_status` <> 2 AS INT64)) AS `records`,
    SUM(CAST(`t0`.`metaxy_status` = 0 AS INT64)) AS `new`,
    SUM(CAST(`t0`.`metaxy_status` = 1 AS INT64)) AS `stale`,
    SUM(CAST((
      `t0`.`metaxy_status` = 4
    ) AND `t0`.`metaxy_moved` AS INT64)) AS `spared_by_fields`,
    SUM(CAST(`t0`.`metaxy_changed__default` AS INT64)) AS `metaxy_changed__default`
  FROM `metaxy_kept_5` AS `t0`
) AS `t5`
CROSS JOIN (
  SELECT
    SUM(CAST(`t1`.`metaxy_status` = 2 AS INT64)) AS `orphaned`
  FROM `metaxy_kept_6` AS `t1`
) AS `t4`;
