SELECT
  *
FROM `metaxy__commits` AS `t0`
WHERE
  `t0`.`feature` IN ('teams', 'video')
  AND `t0`.`metaxy_commit` > @since;

SELECT
  COUNT(*) AS `commits`,
  SUM(`t1`.`rows`) AS `rows`,
  LOGICAL_OR(`t1`.`operation` IN ('compact', 'hard_delete')) AS `erasing`
FROM (
  SELECT
    *
  FROM `metaxy__commits` AS `t0`
  WHERE
    `t0`.`feature` IN ('teams', 'video')
    AND `t0`.`metaxy_commit` > CASE
      WHEN `t0`.`feature` = 'teams'
      THEN @own_since
      ELSE @since
    END
) AS `t1`;

SELECT DISTINCT
  *
FROM (
  SELECT
    *
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t0`.`etag`
      FROM `teams` AS `t0`
      WHERE
        `t0`.`metaxy_commit` > @own_since AND NOT `t0`.`etag` IS NULL
    ) AS `t4`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t1`.`etag`
      FROM `metaxy__left__teams` AS `t1`
      WHERE
        `t1`.`metaxy_commit` = @since
    ) AS `t5`
  ) AS `t7`
  UNION ALL
  SELECT
    *
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t3`.`etag`
      FROM `video` AS `t3`
      WHERE
        EXISTS(
          SELECT
            1
          FROM (
            SELECT
              `t2`.`id`
            FROM `video` AS `t2`
            WHERE
              `t2`.`metaxy_commit` > @since
          ) AS `t8`
          WHERE
            `t3`.`id` = `t8`.`id`
        )
    ) AS `t9`
    WHERE
      NOT `t9`.`etag` IS NULL
  ) AS `t10`
) AS `t11`;

SELECT
  *
FROM (
  SELECT
    COALESCE(`t25`.`etag`, `t19`.`etag`) AS `etag`,
    `t25`.`metaxy_provenance__default`,
    NOT (
      `t25`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t19`.`metaxy_provenance__default__stored`
    ) AS `metaxy_changed__default`,
    CASE
      WHEN `t25`.`metaxy_ready` IS NULL
      THEN 2
      WHEN NOT (
        `t25`.`metaxy_ready`
      )
      THEN 3
      WHEN `t19`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t25`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t19`.`metaxy_provenance__default__stored`
      )
      OR `t19`.`metaxy_forced`
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      `t23`.`etag`,
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
                            CONCAT('v1|default|1|video|audio|', COALESCE(`t23`.`metaxy_read__5__video__audio`, '?'))
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
      `t23`.`metaxy_ready__video` AS `metaxy_ready`
    FROM (
      SELECT
        `t22`.`etag`,
        CONCAT(
          CONCAT(
            CONCAT(
              CONCAT(CAST(`t22`.`metaxy_read__5__video__audio__high` AS STRING), ':'),
              CAST(`t22`.`metaxy_read__5__video__audio__low` AS STRING)
            ),
            ':'
          ),
          CAST(`t22`.`metaxy_members` AS STRING)
        ) AS `metaxy_read__5__video__audio`,
        TRUE AS `metaxy_present__video`,
        `t22`.`metaxy_ready__video`
      FROM (
        SELECT
          `t21`.`etag`,
          COUNT(*) AS `metaxy_members`,
          SUM(`t21`.`metaxy_read__5__video__audio` >> 32) AS `metaxy_read__5__video__audio__high`,
          SUM(`t21`.`metaxy_read__5__video__audio` & 4294967295) AS `metaxy_read__5__video__audio__low`,
          LOGICAL_AND(`t21`.`metaxy_ready__video`) AS `metaxy_ready__video`
        FROM (
          SELECT
            *
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
                                    CONCAT(
                                      CONCAT(COALESCE(REPLACE(REPLACE(`t18`.`id`, '\\', '\\\\'), '|', '\\|'), '\\N'), '|'),
                                      COALESCE(
                                        CAST(COALESCE(`t18`.`metaxy_data_version__audio`, `t18`.`metaxy_provenance__audio`) AS STRING),
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
            FROM (
              SELECT
                `t16`.`id`,
                `t16`.`etag`,
                `t16`.`size`,
                `t16`.`metaxy_provenance__audio`,
                `t16`.`metaxy_data_version__audio`,
                `t16`.`metaxy_commit`,
                `t16`.`metaxy_deleted`
              FROM (
                SELECT
                  `t4`.`id`,
                  `t4`.`etag`,
                  `t4`.`size`,
                  `t4`.`metaxy_provenance__audio`,
                  `t4`.`metaxy_data_version__audio`,
                  `t4`.`metaxy_commit`,
                  `t4`.`metaxy_deleted`,
                  `t14`.`id` AS `id__metaxy_newest`,
                  `t14`.`metaxy_newest`
                FROM `video` AS `t4`
                LEFT OUTER JOIN (
                  SELECT
                    `t10`.`id`,
                    MAX(`t10`.`metaxy_commit`) AS `metaxy_newest`
                  FROM (
                    SELECT
                      `t4`.`id`,
                      `t4`.`etag`,
                      `t4`.`size`,
                      `t4`.`metaxy_provenance__audio`,
                      `t4`.`metaxy_data_version__audio`,
                      `t4`.`metaxy_commit`,
                      `t4`.`metaxy_deleted`
                    FROM `video` AS `t4`
                    WHERE
                      EXISTS(
                        SELECT
                          1
                        FROM (
                          SELECT
                            `t2`.`metaxy_commit`
                          FROM `metaxy__commits` AS `t2`
                          WHERE
                            `t2`.`feature` = 'video' AND `t2`.`superseded` > 0
                        ) AS `t8`
                        WHERE
                          `t4`.`metaxy_commit` = `t8`.`metaxy_commit`
                      )
                  ) AS `t10`
                  GROUP BY
                    1
                ) AS `t14`
                  ON `t4`.`id` = `t14`.`id`
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
            ) AS `t18`
          ) AS `t20`
          WHERE
            NOT `t20`.`etag` IS NULL
        ) AS `t21`
        GROUP BY
          1
      ) AS `t22`
    ) AS `t23`
  ) AS `t25`
  FULL OUTER JOIN (
    SELECT
      `t15`.`etag`,
      `t15`.`metaxy_provenance__default` AS `metaxy_provenance__default__stored`,
      TRUE AS `metaxy_stored`,
      FALSE AS `metaxy_forced`
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
          `t9`.`etag`,
          MAX(`t9`.`metaxy_commit`) AS `metaxy_newest`
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
        ) AS `t9`
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
  ) AS `t19`
    ON `t25`.`etag` = `t19`.`etag`
) AS `t26`
WHERE
  `t26`.`metaxy_status` <> 4;

SELECT
  `t12`.`etag`,
  `t12`.`metaxy_provenance__default`,
  `t12`.`metaxy_data_version__default`,
  `t12`.`metaxy_commit`,
  `t12`.`metaxy_deleted`
FROM (
  SELECT
    *
  FROM (
    SELECT
      `t9`.*
      EXCEPT (`metaxy_rank`)
    FROM (
      SELECT
        *
      FROM (
        SELECT
          `t7`.`etag`,
          `t7`.`metaxy_provenance__default`,
          `t7`.`metaxy_data_version__default`,
          `t7`.`metaxy_commit`,
          `t7`.`metaxy_deleted`,
          ROW_NUMBER() OVER (PARTITION BY `t7`.`etag` ORDER BY `t7`.`metaxy_commit` DESC) - 1 AS `metaxy_rank`
        FROM (
          SELECT
            `t2`.`etag`,
            `t2`.`metaxy_provenance__default`,
            `t2`.`metaxy_data_version__default`,
            `t2`.`metaxy_commit`,
            `t2`.`metaxy_deleted`
          FROM `teams` AS `t2`
          WHERE
            EXISTS(
              SELECT
                1
              FROM (
                SELECT
                  `t0`.`etag`
                FROM `metaxy_kept_1` AS `t0`
                WHERE
                  `t0`.`metaxy_status` = 2
              ) AS `t6`
              WHERE
                `t2`.`etag` = `t6`.`etag`
            )
        ) AS `t7`
      ) AS `t8`
      WHERE
        `t8`.`metaxy_rank` = 0
    ) AS `t9`
  ) AS `t10`
  WHERE
    NOT (
      `t10`.`metaxy_deleted`
    )
) AS `t12`
WHERE
  EXISTS(
    SELECT
      1
    FROM (
      SELECT
        `t0`.`etag`,
        `t0`.`metaxy_provenance__default`,
        `t0`.`metaxy_changed__default`
      FROM `metaxy_kept_1` AS `t0`
      WHERE
        `t0`.`metaxy_status` = 2
    ) AS `t5`
    WHERE
      `t12`.`etag` = `t5`.`etag`
  );

SELECT
  COUNT(*) AS `records`
FROM `metaxy_kept_3` AS `t0`;
