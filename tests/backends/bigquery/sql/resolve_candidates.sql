SELECT
  *
FROM `metaxy__commits` AS `t0`
WHERE
  `t0`.`feature` IN ('copy', 'video')
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
    `t0`.`feature` IN ('copy', 'video')
    AND `t0`.`metaxy_commit` > CASE
      WHEN `t0`.`feature` = 'copy'
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
        `t1`.`id`
      FROM `copy` AS `t1`
      WHERE
        `t1`.`metaxy_commit` > @own_since AND NOT `t1`.`id` IS NULL
    ) AS `t4`
    UNION ALL
    SELECT
      *
    FROM (
      SELECT
        `t2`.`id`
      FROM `metaxy__left__copy` AS `t2`
      WHERE
        `t2`.`metaxy_commit` = @since
    ) AS `t5`
  ) AS `t6`
  UNION ALL
  SELECT
    *
  FROM (
    SELECT
      `t0`.`id`
    FROM `video` AS `t0`
    WHERE
      `t0`.`metaxy_commit` > @since AND NOT `t0`.`id` IS NULL
  ) AS `t3`
) AS `t7`;

SELECT
  *
FROM (
  SELECT
    COALESCE(`t33`.`id`, `t31`.`id`) AS `id`,
    `t33`.`etag`,
    `t33`.`size`,
    `t33`.`metaxy_provenance__default`,
    NOT (
      `t33`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t31`.`metaxy_provenance__default__stored`
    ) AS `metaxy_changed__default`,
    CASE
      WHEN `t33`.`metaxy_ready` IS NULL
      THEN 2
      WHEN NOT (
        `t33`.`metaxy_ready`
      )
      THEN 3
      WHEN `t31`.`metaxy_stored` IS NULL
      THEN 0
      WHEN NOT (
        `t33`.`metaxy_provenance__default` IS NOT DISTINCT FROM `t31`.`metaxy_provenance__default__stored`
      )
      OR `t31`.`metaxy_forced`
      THEN 1
      ELSE 4
    END AS `metaxy_status`
  FROM (
    SELECT
      *
    FROM (
      SELECT
        `t29`.`id`,
        `t29`.`etag`,
        `t29`.`size`,
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
                                COALESCE(CAST(`t29`.`metaxy_read__5__video__audio` AS STRING), '?')
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
        `t29`.`metaxy_ready__video` AS `metaxy_ready`
      FROM (
        SELECT
          `t27`.`id`,
          `t27`.`etag`,
          `t27`.`size`,
          COALESCE(`t27`.`metaxy_data_version__audio`, `t27`.`metaxy_provenance__audio`) AS `metaxy_read__5__video__audio`,
          TRUE AS `metaxy_present__video`,
          TRUE AS `metaxy_ready__video`
        FROM (
          SELECT
            `t25`.*
            EXCEPT (`metaxy_rank`)
          FROM (
            SELECT
              *
            FROM (
              SELECT
                `t21`.`id`,
                `t21`.`etag`,
                `t21`.`size`,
                `t21`.`metaxy_provenance__audio`,
                `t21`.`metaxy_data_version__audio`,
                `t21`.`metaxy_commit`,
                `t21`.`metaxy_deleted`,
                ROW_NUMBER() OVER (PARTITION BY `t21`.`id` ORDER BY `t21`.`metaxy_commit` DESC) - 1 AS `metaxy_rank`
              FROM (
                SELECT
                  *
                FROM (
                  SELECT
                    *
                  FROM `video` AS `t1`
                  WHERE
                    `t1`.`metaxy_commit` > @since
                ) AS `t5`
                UNION ALL
                SELECT
                  *
                FROM (
                  SELECT
                    `t12`.`id`,
                    `t12`.`etag`,
                    `t12`.`size`,
                    `t12`.`metaxy_provenance__audio`,
                    `t12`.`metaxy_data_version__audio`,
                    `t12`.`metaxy_commit`,
                    `t12`.`metaxy_deleted`
                  FROM (
                    SELECT
                      *
                    FROM `video` AS `t1`
                    WHERE
                      `t1`.`metaxy_commit` <= @since
                  ) AS `t12`
                  WHERE
                    EXISTS(
                      SELECT
                        1
                      FROM (
                        SELECT
                          `t4`.`id`
                        FROM `metaxy_candidates_1` AS `t4`
                        WHERE
                          NOT EXISTS(
                            SELECT
                              1
                            FROM (
                              SELECT
                                `t1`.`id`
                              FROM `video` AS `t1`
                              WHERE
                                `t1`.`metaxy_commit` > @since AND NOT `t1`.`id` IS NULL
                            ) AS `t11`
                            WHERE
                              `t4`.`id` = `t11`.`id`
                          )
                      ) AS `t17`
                      WHERE
                        `t12`.`id` = `t17`.`id`
                    )
                ) AS `t19`
              ) AS `t21`
            ) AS `t23`
            WHERE
              `t23`.`metaxy_rank` = 0
          ) AS `t25`
        ) AS `t27`
        WHERE
          NOT (
            `t27`.`metaxy_deleted`
          )
      ) AS `t29`
    ) AS `t33`
    WHERE
      EXISTS(
        SELECT
          1
        FROM `metaxy_candidates_1` AS `t3`
        WHERE
          `t33`.`id` = `t3`.`id`
      )
  ) AS t33
  FULL OUTER JOIN (
    SELECT
      `t28`.`id`,
      `t28`.`metaxy_provenance__default` AS `metaxy_provenance__default__stored`,
      TRUE AS `metaxy_stored`,
      FALSE AS `metaxy_forced`
    FROM (
      SELECT
        `t26`.*
        EXCEPT (`metaxy_rank`)
      FROM (
        SELECT
          *
        FROM (
          SELECT
            `t22`.`id`,
            `t22`.`etag`,
            `t22`.`size`,
            `t22`.`metaxy_provenance__default`,
            `t22`.`metaxy_data_version__default`,
            `t22`.`metaxy_commit`,
            `t22`.`metaxy_deleted`,
            ROW_NUMBER() OVER (PARTITION BY `t22`.`id` ORDER BY `t22`.`metaxy_commit` DESC) - 1 AS `metaxy_rank`
          FROM (
            SELECT
              *
            FROM (
              SELECT
                *
              FROM `copy` AS `t2`
              WHERE
                `t2`.`metaxy_commit` > @own_since
            ) AS `t8`
            UNION ALL
            SELECT
              *
            FROM (
              SELECT
                `t14`.`id`,
                `t14`.`etag`,
                `t14`.`size`,
                `t14`.`metaxy_provenance__default`,
                `t14`.`metaxy_data_version__default`,
                `t14`.`metaxy_commit`,
                `t14`.`metaxy_deleted`
              FROM (
                SELECT
                  *
                FROM `copy` AS `t2`
                WHERE
                  `t2`.`metaxy_commit` <= @own_since
              ) AS `t14`
              WHERE
                EXISTS(
                  SELECT
                    1
                  FROM (
                    SELECT
                      `t4`.`id`
                    FROM `metaxy_candidates_1` AS `t4`
                    WHERE
                      NOT EXISTS(
                        SELECT
                          1
                        FROM (
                          SELECT
                            `t2`.`id`
                          FROM `copy` AS `t2`
                          WHERE
                            `t2`.`metaxy_commit` > @own_since AND NOT `t2`.`id` IS NULL
                        ) AS `t13`
                        WHERE
                          `t4`.`id` = `t13`.`id`
                      )
                  ) AS `t18`
                  WHERE
                    `t14`.`id` = `t18`.`id`
                )
            ) AS `t20`
          ) AS `t22`
        ) AS `t24`
        WHERE
          `t24`.`metaxy_rank` = 0
      ) AS `t26`
    ) AS `t28`
    WHERE
      NOT (
        `t28`.`metaxy_deleted`
      )
  ) AS `t31`
    ON `t33`.`id` = `t31`.`id`
) AS `t34`
WHERE
  `t34`.`metaxy_status` <> 4;

SELECT
  `t0`.`id`,
  @since AS `metaxy_commit`
FROM `metaxy_kept_1` AS `t0`;
